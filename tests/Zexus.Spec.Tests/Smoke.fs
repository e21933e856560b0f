module Zexus.Spec.Tests.Smoke

open Expecto

[<Tests>]
let tests =
    testList "smoke" [
        test "the projects are linked" { Expect.stringContains Zexus.Proofs.Placeholder.Name "Zexus.Spec" "reference" }
    ]
