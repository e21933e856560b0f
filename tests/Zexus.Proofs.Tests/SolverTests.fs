module Zexus.Proofs.Tests.SolverTests

open Expecto
open Zexus.Proofs

[<Tests>]
let solvers =
    testList "solvers" [
        test "the z3 program, Z3 in process and cvc5 agree on the same text" {
            let text =
                "(set-logic ALL)\n(declare-const x Int)\n(assert (= x (+ x 1)))\n(check-sat)\n"

            Expect.equal (Solver.check text) Solver.Answer.Unsat "in process"
            Expect.equal (Solver.checkWith "z3" [ "-in" ] text) Solver.Answer.Unsat "z3"
            Expect.equal (Solver.checkWithCvc5 text) Solver.Answer.Unsat "cvc5"
        }

        test "an error in the text is no answer" {
            for check in [ Solver.check; Solver.checkWith "z3" [ "-in" ]; Solver.checkWithCvc5 ] do
                match check "(assert (= undeclared 1))\n(check-sat)\n" with
                | Solver.Answer.Failed _ -> ()
                | other -> failtestf "%A" other
        }

        test "a missing solver is no answer" {
            match Solver.checkWith "no-such-solver" [] "(check-sat)" with
            | Solver.Answer.Failed reason -> Expect.stringContains reason "not installed" "reason"
            | other -> failtestf "%A" other
        }
    ]
