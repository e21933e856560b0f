namespace Zexus.Isa

/// The rates of every cost that grows with data, in gas. Division rounds down, so that small operands cost nothing extra.
/// `size n` of an Int is `bitLength n / BitsPerWord`, with the bit length of two's complement without its sign bit:
/// 0 exactly for what fits 64 bits signed. `text s` of a String is `scalars s / ScalarsPerUnit`.
[<RequireQualifiedAccess>]
module Gas =
    /// The gas limit of an execution when the host gives none.
    [<Literal>]
    let DefaultLimit = 100_000_000L

    /// Scalars of text moved, compared or hashed for one gas.
    [<Literal>]
    let ScalarsPerUnit = 8

    /// Bits of an Int in one word; a word costs one gas to read.
    [<Literal>]
    let BitsPerWord = 64

    /// One element copied, visited or allocated in a collection.
    [<Literal>]
    let Element = 1

    /// A text search costs `text haystack + haystack * needle / SearchProduct`.
    [<Literal>]
    let SearchProduct = 1024

    /// A deletion moves the entries behind it: entries per gas.
    [<Literal>]
    let EntriesPerDeletion = 4

    /// A call that a builtin, a method or an event makes into a Function: `CallbackBase + CallbackPerArgument * arguments`.
    [<Literal>]
    let CallbackBase = 10

    [<Literal>]
    let CallbackPerArgument = 2

    /// A call of another contract, besides the text of its names and the copies of its data.
    [<Literal>]
    let ContractCall = 100

    /// POW charges the square of the result's size; sizes above this one are charged as this one.
    [<Literal>]
    let LargestPowerSize = 256

/// The bounds of an execution. Each is a parameter of the meaning, with a fault of its own; memory and wall-clock are the host's.
type Limits = {
    /// Frames alive at once, callbacks of builtins and those of calling contracts included: CallTooDeep.
    CallDepth: int
    /// Ints lie in [-2^bits, 2^bits): IntegerTooLarge.
    IntegerBits: int
    /// Unicode scalars in a String: StringTooLong.
    StringLength: int
    /// Elements of a List or Set, entries of a Map: CollectionTooLarge.
    CollectionLength: int
    /// Collections within one another that an operation walks into: TooDeep.
    Nesting: int
} with

    static member Default = {
        CallDepth = 1024
        IntegerBits = 8192
        StringLength = 1_048_576
        CollectionLength = 1_048_576
        Nesting = 256
    }

    /// Operand-stack cells that one function may use; a matter of validation, so not a parameter.
    static member OperandStackHeight = 1024

    /// Registers of a frame.
    static member Registers = 16

    /// Parameters, locals and captures of one function together.
    static member Variables = 1024
