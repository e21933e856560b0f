using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>Cells that compiled code takes from the heap by itself, as <see cref="CellHeap"/> does while the class has a free one.</summary>
internal sealed unsafe partial class FunctionCompiler
{
    private LocalBuilder? _sizeClass;
    private LocalBuilder? _cell;

    /// <summary>Is a cell taken without more? The checked build seals each.</summary>
    private static bool AllocatesInline(long bytes) => CellChecks.Prefix == 0 && bytes <= CellHeap.LargestSmall;

    /// <summary>Goes to a label when the class has not so many free cells side by side. Nothing has happened then.</summary>
    private void RequireCells(long bytes, int count, Label slow)
    {
        LocalBuilder size = _sizeClass ??= _il.NewLocal(typeof(nint));
        PushMachine();
        _il.Field(Members.Field("_heap"));
        _il.Field(Members.HeapClasses);
        AddOffset(SizeClass.Of((int)bytes) * sizeof(SizeClass));
        _il.Store(size);
        ClassField(Members.ClassEndOffset);
        ClassField(Members.ClassNextOffset);
        _il.Op(OpCodes.Sub);
        _il.Int(SizeClass.BytesOf(bytes) * count);
        _il.Op(OpCodes.Conv_I);
        _il.Branch(OpCodes.Blt, slow);
    }

    /// <summary>Takes a cell of the class that was asked last, and writes its header; its address goes to a variable.</summary>
    private LocalBuilder TakeCell(CellKind kind, long bytes)
    {
        LocalBuilder cell = _cell ??= _il.NewLocal(typeof(nint));
        ClassField(Members.ClassNextOffset);
        _il.Store(cell);
        _il.Load(_sizeClass!);
        AddOffset(Members.ClassNextOffset);
        _il.Load(cell);
        AddOffset(SizeClass.BytesOf(bytes));
        _il.Op(OpCodes.Stind_I);
        _il.Load(cell);
        ClassField(Members.ClassHeaderOffset);
        _il.Int((int)kind);
        _il.Op(OpCodes.Conv_I);
        _il.Op(OpCodes.Or);
        _il.Op(OpCodes.Stind_I);
        return cell;
    }

    private void ClassField(int offset)
    {
        _il.Load(_sizeClass!);
        AddOffset(offset);
        _il.Op(OpCodes.Ldind_I);
    }

    private void AddOffset(int bytes)
    {
        if (bytes != 0)
        {
            _il.Int(bytes);
            _il.Op(OpCodes.Add);
        }
    }

    /// <summary>STORE_FUNC: a closure over variables of this frame.</summary>
    private int StoreFunction(int i)
    {
        Instr* at = At(i);
        if (_closures.TryGetValue(i, out VirtualObject? closure) && StoreVirtual(i, closure))
        {
            return i + 1;
        }

        FunctionCode* function = _program.Functions + at->B;
        int captures = CapturesOf(function);
        long bytes = sizeof(FunctionCell) + ((long)captures * sizeof(nint));
        int place = SlotOf(at->A);
        bool isLocal = (PlaceKind)(at->A & 3) == PlaceKind.Local;
        if (!AllocatesInline(bytes))
        {
            MachineDoes(i, 0, 0, AbstractValue.Any);
            if (isLocal)
            {
                Reload(place);
            }

            return EndSegment(i);
        }

        if (isLocal)
        {
            Unalias(place);
        }

        if (_il.Enabled)
        {
            Label slow = _il.NewLabel();
            Label done = _il.NewLabel();
            RequireCells(bytes, 1, slow);
            TakeGas(captures, slow);
            LocalBuilder cell = TakeCell(CellKind.Function, bytes);
            Count(ShortWay.Closure);
            StoreInCell(cell, Members.ClosureFunctionOffset, OpCodes.Stind_I4, () => _il.Int(at->B));
            StoreInCell(cell, Members.ClosureCapturesOffset, OpCodes.Stind_I4, () => _il.Int(captures));
            for (int c = 0; c < captures; c++)
            {
                int slot = Base + _program.CaptureSlots[at->C + c];
                StoreInCell(cell, sizeof(FunctionCell) + (c * sizeof(nint)), OpCodes.Stind_I8, () => PushCellOf(slot));
            }

            if (isLocal)
            {
                _il.Load(cell);
                _il.Op(OpCodes.Conv_I8);
                _il.Store(PayloadOf(place));
            }
            else
            {
                Action address =
                    (PlaceKind)(at->A & 3) == PlaceKind.Cell
                        ? () => CellAddress(place)
                        : () => GlobalAddress(place * sizeof(Value));
                address();
                _il.Long((long)Tag.Function);
                _il.Op(OpCodes.Stind_I8);
                address();
                AddOffset(Members.PayloadOffset);
                _il.Load(cell);
                _il.Op(OpCodes.Conv_I8);
                _il.Op(OpCodes.Stind_I8);
            }

            _il.Mark(done);
            SlowPath(
                i,
                slow,
                done,
                _state.Copy(),
                () =>
                {
                    if (isLocal)
                    {
                        LoadSlotPayload(place);
                        _il.Store(PayloadOf(place));
                    }
                }
            );
        }

        if (isLocal)
        {
            Values[place] = AbstractValue.OfKind((int)Tag.Function);
        }

        return EndSegment(i);
    }

    private void StoreInCell(LocalBuilder cell, int offset, OpCode store, Action value)
    {
        _il.Load(cell);
        AddOffset(offset);
        value();
        _il.Op(store);
    }

    /// <summary>Takes gas that the instruction's own cost does not have, or goes to a label when the slice has not enough.</summary>
    private void TakeGas(long gas, Label slow)
    {
        if (gas == 0 || _jit.Options.IsUnmetered)
        {
            return;
        }

        _il.Load(_counter);
        _il.Long(gas << Fuel.Shift);
        _il.Branch(OpCodes.Blt, slow);
        _il.Load(_counter);
        _il.Long(gas << Fuel.Shift);
        _il.Op(OpCodes.Sub);
        _il.Store(_counter);
    }

    /// <summary>Makes the slots of a called frame that has captured variables, as <c>Machine.Enter</c> does; goes to a label if it cannot.</summary>
    private void PrepareCells(DirectCall call, Instr* at, int arguments, Label slow)
    {
        FunctionCode* callee = call.Callee;
        int passed = Math.Min(at->B, callee->Parameters);
        int captures = CapturesOf(callee);
        if (callee->CapturedCount > 0)
        {
            RequireCells(sizeof(VariableCell), callee->CapturedCount, slow);
            Count(ShortWay.CapturedVariables);
        }

        if (call.PushTag is null)
        {
            TakeGas(captures, slow);
        }

        if (captures > 0)
        {
            Count(ShortWay.Captures);
        }

        for (int c = 0; c < callee->CapturedCount; c++)
        {
            int slot = callee->Captured[c];
            LocalBuilder cell = TakeCell(CellKind.Variable, sizeof(VariableCell));
            StoreInCell(
                cell,
                Members.VariableValueOffset,
                OpCodes.Stind_I8,
                () =>
                {
                    if (slot < passed)
                    {
                        PushTag(arguments + slot);
                    }
                    else
                    {
                        _il.Long((long)Tag.Null);
                    }
                }
            );
            StoreInCell(
                cell,
                Members.VariableValueOffset + Members.PayloadOffset,
                OpCodes.Stind_I8,
                () =>
                {
                    if (slot < passed)
                    {
                        PushPayload(arguments + slot);
                    }
                    else
                    {
                        _il.Long(0);
                    }
                }
            );
            StoreCaptured(
                arguments + slot,
                () =>
                {
                    _il.Load(cell);
                    _il.Op(OpCodes.Conv_I8);
                }
            );
        }

        for (int c = 0; c < captures; c++)
        {
            int number = c;
            StoreCaptured(
                arguments + callee->FirstCapture + c,
                () =>
                {
                    if (call.PushTag is null)
                    {
                        PushCellOf(Base + _program.CaptureSlots[at->C + number]);
                    }
                    else
                    {
                        _il.Load(_closure!);
                        _il.Op(OpCodes.Conv_I);
                        AddOffset(sizeof(FunctionCell) + (number * sizeof(nint)));
                        _il.Op(OpCodes.Ldind_I8);
                    }
                }
            );
        }

        ReadOnlySpan<int> captured = new(callee->Captured, callee->CapturedCount);
        for (int s = passed; s < callee->Slots; s++)
        {
            bool isCapture = s >= callee->FirstCapture && s < callee->Variables;
            if (!isCapture && !captured.Contains(s))
            {
                ClearSlots(arguments, s, s + 1);
            }
        }
    }

    private void StoreCaptured(int slot, Action cell)
    {
        StoreTag(slot, () => _il.Long((long)Tag.Variable));
        StorePayload(slot, cell);
    }
}
