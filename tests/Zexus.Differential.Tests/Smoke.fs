module Zexus.Differential.Tests.Smoke

open FsCheck.Xunit

[<Property>]
let ``FsCheck runs`` (xs: int list) = List.rev (List.rev xs) = xs
