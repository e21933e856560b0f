/// Every rewrite that the optimizer has, proved anew: no kept answers.
module Zexus.Proofs.Tests.CatalogTests

open System
open Expecto
open Zexus.Vm
open Zexus.Proofs
open Zexus.Proofs.Prover

[<Tests>]
let catalog =
    testSequenced
    <| testList "the optimizer's rewrites" [
        test "are proved by both solvers, need each precondition, and have twins that are refuted" {
            let reports =
                proveAll
                    (AnswerCache.AnswerCache None)
                    Environment.ProcessorCount
                    ignore
                    ignore
                    (List.ofSeq (Seq.append RewriteCatalog.All RewriteCatalog.Charges))

            Expect.isGreaterThanOrEqual reports.Length 60 "rewrites"

            let reds = [
                for report in reports do
                    for complaint in complaints report -> report.Rewrite.Name + ": " + complaint
            ]

            Expect.isEmpty reds (String.Join("\n", reds))

            for report in reports do
                Expect.isGreaterThan report.Cases.Length 0 report.Rewrite.Name
                Expect.equal report.Agreed report.Asked (report.Rewrite.Name + ": the solvers agree")
        }
    ]
