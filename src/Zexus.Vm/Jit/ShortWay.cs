namespace Zexus.Vm;

/// <summary>What compiled code does by itself where the machine has a rule; the check counts each, so that none goes untried.</summary>
internal enum ShortWay
{
    /// <summary>A call from the function's own compiled code.</summary>
    CallSelf,

    /// <summary>A call of the function table.</summary>
    CallTable,

    /// <summary>A call of the function table whose callee is compiled into the caller.</summary>
    CallInlined,

    /// <summary>A call of a closure whose function is compiled into the caller.</summary>
    CallClosureInlined,

    /// <summary>The same of a closure that is not allocated, and so known.</summary>
    CallVirtual,

    /// <summary>A closure is not allocated: nothing but this method calls it.</summary>
    VirtualClosure,

    /// <summary>A callee's captured variable is not allocated.</summary>
    VirtualVariable,

    /// <summary>A block's gas has been taken before the branch that leads to it.</summary>
    GasAhead,

    /// <summary>Gas that was taken before a branch and is not needed on the way taken is given back.</summary>
    GasBack,

    /// <summary>A block of a loop that has several turns in the method, in another than the first.</summary>
    LaterTurn,

    /// <summary>A call of a closure.</summary>
    CallClosure,

    /// <summary>A called frame's captured variables are allocated.</summary>
    CapturedVariables,

    /// <summary>A called frame gets a closure's captures.</summary>
    Captures,

    /// <summary>A closure is allocated.</summary>
    Closure,

    /// <summary>A call comes back from the interpreter with a result of the kind that was expected.</summary>
    Resumed,

    /// <summary>An item of a List of which the kind, the length and the place were asked before the loop.</summary>
    HoistedList,

    /// <summary>An item of a Map under a String is where the String was found last; else compiled code would have been left.</summary>
    RememberedEntry,

    /// <summary>An item of a Map is written to the entry that reading it has just found.</summary>
    FoundEntry,

    /// <summary>The entry under a constant String is where the instruction found it last.</summary>
    ConstantEntry,

    /// <summary>What stands in the state under a String, found without writing the frame.</summary>
    ReadStateInPlace,

    /// <summary>What the execution has written to the state under a String is written anew without writing the frame.</summary>
    WriteStateInPlace,

    /// <summary>A String is appended to another in place without writing the frame.</summary>
    JoinInPlace,

    /// <summary>A condition that holds is required without the machine.</summary>
    RequireInPlace,

    /// <summary>An event without handlers of a Map that nothing else has: the Map is not made.</summary>
    EventOfNewMap,
}
