Console.WriteLine("zexus: the commands are not here yet.");
Console.WriteLine(Zexus.Spec.Placeholder.Name);
Console.WriteLine(Zexus.Vm.Placeholder.Name);
return 0;
