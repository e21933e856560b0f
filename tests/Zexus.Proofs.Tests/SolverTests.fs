module Zexus.Proofs.Tests.SolverTests

open Expecto
open Zexus.Spec
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

        test "an equation of Floats is a query of its own, which both solvers answer" {
            // Asked among Ints, z3 gave no answer to it in 10 s.
            let half = Float.Known 0.5 |> Float.term
            let two = Float.Known 2.0 |> Float.term
            let x = FloatTerm.Symbol "x"

            let lemmas =
                FloatLemmas.ofFormula (SmtLib.Formula.sameFloat (FloatTerm.Div(x, two)) (FloatTerm.Mul(x, half)))

            match lemmas with
            | [ lemma ] ->
                Expect.equal (Solver.check lemma.Query) Solver.Answer.Unsat "z3"
                Expect.equal (Solver.checkWithCvc5 lemma.Query) Solver.Answer.Unsat "cvc5"
            | many -> failtest $"{many.Length} lemmas"
        }

        test "an equation that does not hold is no lemma" {
            let tenth = Float.Known 0.1 |> Float.term
            let ten = Float.Known 10.0 |> Float.term
            let x = FloatTerm.Symbol "x"
            let product = FloatTerm.Mul(x, x)

            for a, b in
                [
                    FloatTerm.Div(x, ten), FloatTerm.Mul(x, tenth)
                    // Not the same, though each of them has x * x.
                    FloatTerm.Add(product, ten), FloatTerm.Sub(product, ten)
                    FloatTerm.Mul(FloatTerm.Symbol "y", x), FloatTerm.Mul(FloatTerm.Symbol "z", x)
                ] do
                for lemma in FloatLemmas.ofFormula (SmtLib.Formula.sameFloat a b) do
                    match Solver.check lemma.Query, Solver.checkWithCvc5 lemma.Query with
                    | Solver.Answer.Sat _, Solver.Answer.Sat _ -> ()
                    | answers -> failtestf "%A: %s" answers lemma.Query
        }

        test "a missing solver is no answer" {
            match Solver.checkWith "no-such-solver" [] "(check-sat)" with
            | Solver.Answer.Failed reason -> Expect.stringContains reason "not installed" "reason"
            | other -> failtestf "%A" other
        }
    ]
