/// 200-241: registers. Each means what its stack twin does, and costs the same, so each is its twin between pushes and a pop.
module Zexus.Spec.Rules.Registers

open Zexus.Isa
open Zexus.Spec
open Zexus.Spec.Rules

let private register (r: int) : Rule<Value> = read (fun s -> s.Frame.Registers[r])

let private assign (r: int) (value: Value) : Rule<unit> =
    withFrame (fun frame -> {
        frame with
            Registers = frame.Registers.SetItem(r, value)
    })

let private popTo (dst: int) : Rule<unit> =
    rule {
        let! value = pop
        do! assign dst value
    }

let private pushFrom (src: int) : Rule<unit> =
    rule {
        let! value = register src
        do! push value
    }

/// dst := a OP b.
let private binary (twin: Rule<unit>) (dst: int) (a: int) (b: int) : Rule<unit> =
    rule {
        do! pushFrom a
        do! pushFrom b
        do! twin
        do! popTo dst
    }

/// dst := OP src.
let private unary (twin: Rule<unit>) (dst: int) (src: int) : Rule<unit> =
    rule {
        do! pushFrom src
        do! twin
        do! popTo dst
    }

/// dst := constant · GAS as LOAD_CONST.
let LOAD_REG (dst: int) (constant: int) : Rule<unit> =
    rule {
        do! Names.LOAD_CONST constant
        do! popTo dst
    }

/// dst := variable · GAS as LOAD_NAME.
let LOAD_VAR_REG (dst: int) (name: int) : Rule<unit> =
    rule {
        do! Names.LOAD_NAME name
        do! popTo dst
    }

/// variable := src · GAS as STORE_NAME.
let STORE_REG (src: int) (name: int) : Rule<unit> =
    rule {
        do! pushFrom src
        do! Names.STORE_NAME name
    }

/// dst := src · GAS 1.
let MOV_REG (dst: int) (src: int) : Rule<unit> = unary skip dst src

let ADD_REG = binary Arithmetic.ADD
let SUB_REG = binary Arithmetic.SUB
let MUL_REG = binary Arithmetic.MUL
let DIV_REG = binary Arithmetic.DIV
let MOD_REG = binary Arithmetic.MOD
let POW_REG = binary Arithmetic.POW
let NEG_REG = unary Arithmetic.NEG
let EQ_REG = binary Comparison.EQ
let NEQ_REG = binary Comparison.NEQ
let LT_REG = binary Comparison.LT
let GT_REG = binary Comparison.GT
let LTE_REG = binary Comparison.LTE
let GTE_REG = binary Comparison.GTE
let AND_REG = binary Comparison.AND
let OR_REG = binary Comparison.OR
let NOT_REG = unary Comparison.NOT

/// STACK [] -> [src] · GAS 1.
let PUSH_REG (src: int) : Rule<unit> = pushFrom src

/// STACK [v] -> []; dst := v · GAS 1.
let POP_REG (dst: int) : Rule<unit> = popTo dst
