using System.Reflection.Emit;
using System.Runtime.InteropServices;

namespace Zexus.Vm;

/// <summary>
/// What side exits do with the frame. Nearly all cold code is theirs, and RyuJIT's time goes with it; so an exit stores only what the compiler
/// does not know, and returns a place. The rest is a table for whoever has called: <see cref="Machine.TakeExit"/>.
/// </summary>
internal sealed unsafe partial class FunctionCompiler
{
    /// <summary>Names a store of one of the method's variables into half of a slot.</summary>
    private readonly record struct ExitStore(int Slot, bool IsTag, LocalBuilder Value);

    /// <summary>Goes on where the frame is as the site says, and compiled code is left.</summary>
    private void StoreSlots(Site* site)
    {
        List<ExitStore> stores = [];
        List<SlotFill> fills = [];

        for (int s = 0; s < _state.Top; s++)
        {
            // Where the machine makes what the code has not, it writes the slot, too.
            ref AbstractValue value = ref Resolve(s);
            if (value.Virtual == 0 && !(Values[s].Clean && Values[s].Alias == Alias.None))
            {
                Store(s, value.Kind);
            }
        }

        if (fills.Count > 0)
        {
            site->Fills = (SlotFill*)NativeMemory.Alloc((nuint)fills.Count, (nuint)sizeof(SlotFill));
            _records.Add((nint)site->Fills);
            site->FillCount = fills.Count;
            fills.CopyTo(new Span<SlotFill>(site->Fills, fills.Count));
        }

        Leave(site, stores);

        void Store(int slot, int kind)
        {
            if (Values[slot].Alias == Alias.Constant)
            {
                Value constant = ConstantAt(slot);
                Fill(slot, constant.Tag, constant.Payload);
                return;
            }

            int holder = Holder(slot);
            switch (kind)
            {
                case AbstractValue.Dead:
                case (int)Tag.Null:
                    Fill(slot, Tag.Null, 0);
                    break;
                case AbstractValue.Any:
                    stores.Add(new ExitStore(slot, true, TagOf(holder)));
                    stores.Add(new ExitStore(slot, false, PayloadOf(holder)));
                    break;
                default:
                    Fill(slot, (Tag)kind, null);
                    stores.Add(
                        new ExitStore(slot, false, kind == (int)Tag.Float ? DoubleOf(holder) : PayloadOf(holder))
                    );
                    break;
            }
        }

        void Fill(int slot, Tag tag, long? payload) =>
            fills.Add(
                new SlotFill
                {
                    Slot = slot,
                    IsConstant = payload is not null,
                    Tag = tag,
                    Payload = payload ?? 0,
                }
            );
    }

    /// <summary>
    /// Returns the place to whoever has called. No call: a method that has no other keeps all in registers that nobody has to save. And RyuJIT
    /// takes a branch to a return for one that is seldom taken.
    /// </summary>
    private void Leave(Site* site, List<ExitStore> stores)
    {
        foreach (ExitStore store in stores)
        {
            SlotAddress(store.Slot, store.IsTag ? 0 : Members.PayloadOffset);
            _il.Load(store.Value);
            _il.Op(store.Value.LocalType == typeof(double) ? OpCodes.Stind_R8 : OpCodes.Stind_I8);
        }

        PushMachine();
        _il.Load(_counter);
        _il.StoreField(Members.ExitCounter);
        _il.Long(ExitStatus.At(site));
        _il.Op(OpCodes.Ret);
    }
}
