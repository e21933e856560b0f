/// 20-32: equality, ordering, logic.
module Zexus.Spec.Rules.Comparison

open Zexus.Spec
open Zexus.Spec.Traversals

/// STACK [a b] -> [a=b] · GAS 2, then eq's own · FAULTS TooDeep.
/// Bool, Int and Float by exact value; collections by content; Functions by identity.
let EQ: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! same = equal a b
        do! push (Value.ofBool same)
    }

/// STACK [a b] -> [a<>b] · GAS 2, then eq's own · FAULTS TooDeep.
let NEQ: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! same = equal a b
        do! push (Value.ofBool (Bool.negate same))
    }

/// [a b] -> [Bool], true for some of the answers of compare(a, b). A NaN is Unordered, which is never among them.
let private ordered (holds: Order -> bool) : Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! order = order a b

        let name =
            match order with
            | Order.Less -> "less"
            | Order.Equal -> "equal"
            | Order.Greater -> "greater"
            | Order.Unordered -> "unordered"

        do! branch name
        do! push (Value.known (holds order))
    }

/// STACK [a b] -> [a<b] · GAS 2, then compare's own · FAULTS TypeMismatch, TooDeep.
let LT: Rule<unit> =
    ordered (fun order ->
        match order with
        | Order.Less -> true
        | Order.Equal
        | Order.Greater
        | Order.Unordered -> false)

/// STACK [a b] -> [a>b] · GAS 2, then compare's own · FAULTS TypeMismatch, TooDeep.
let GT: Rule<unit> =
    ordered (fun order ->
        match order with
        | Order.Greater -> true
        | Order.Less
        | Order.Equal
        | Order.Unordered -> false)

/// STACK [a b] -> [a<=b] · GAS 2, then compare's own · FAULTS TypeMismatch, TooDeep.
let LTE: Rule<unit> =
    ordered (fun order ->
        match order with
        | Order.Less
        | Order.Equal -> true
        | Order.Greater
        | Order.Unordered -> false)

/// STACK [a b] -> [a>=b] · GAS 2, then compare's own · FAULTS TypeMismatch, TooDeep.
let GTE: Rule<unit> =
    ordered (fun order ->
        match order with
        | Order.Greater
        | Order.Equal -> true
        | Order.Less
        | Order.Unordered -> false)

/// STACK [a b] -> [Bool] · GAS 2. Both operands have been evaluated.
let AND: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! left = truth a
        let! right = truth b
        do! push (Value.ofBool (Bool.both left right))
    }

/// STACK [a b] -> [Bool] · GAS 2. Both operands have been evaluated.
let OR: Rule<unit> =
    rule {
        let! b = pop
        let! a = pop
        let! left = truth a
        let! right = truth b
        do! push (Value.ofBool (Bool.either left right))
    }

/// STACK [a] -> [Bool] · GAS 2.
let NOT: Rule<unit> =
    rule {
        let! a = pop
        let! holds = truth a
        do! push (Value.ofBool (Bool.negate holds))
    }
