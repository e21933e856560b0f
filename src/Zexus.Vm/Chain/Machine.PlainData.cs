using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>Plain data out of the heap and back into it: docs/semantics.md, section 4.</summary>
internal sealed unsafe partial class Machine
{
    /// <summary>Is it plain data, and is its copy paid for? Whoever is told so may copy it in any form.</summary>
    private Code ChargePlain(Value* value) => ChargePlain(value, 0);

    private Code ChargePlain(Value* value, int depth)
    {
        switch (value->Tag)
        {
            case Tag.List:
            {
                ListCell* list = value->List;
                Code code = EnterPlain(list->Count, depth);
                for (int i = 0; list->Kind == ElementKind.Value && i < list->Count && code == Code.Done; i++)
                {
                    code = ChargePlain(list->Values + i, depth + 1);
                }

                return code;
            }

            case Tag.Set:
            {
                TableCell* set = value->Set;
                Code code = EnterPlain(set->Count, depth);
                for (int i = 0; i < set->Count && code == Code.Done; i++)
                {
                    code = ChargeScalar(&set->At(i)->Key);
                }

                return code;
            }

            case Tag.Map:
            {
                TableCell* map = value->Map;
                Code code = EnterPlain(2L * map->Count, depth);
                for (int i = 0; i < map->Count && code == Code.Done; i++)
                {
                    code = ChargeScalar(&map->At(i)->Key);
                    code = code == Code.Done ? ChargePlain(&map->At(i)->Item, depth + 1) : code;
                }

                return code;
            }

            case Tag.Function:
                return Code.TypeMismatch;

            default:
                return ChargeScalar(value);
        }
    }

    private Code ChargeScalar(Value* scalar)
    {
        long gas = KeyGas(scalar);
        return gas == 0 || Charge(gas) ? Code.Done : Code.OutOfGas;
    }

    private Code EnterPlain(long elements, int depth) =>
        !Charge(elements) ? Code.OutOfGas
        : depth >= _nesting ? Code.TooDeep
        : Code.Done;

    private Code Plain(Value* value, out Data data)
    {
        Code code = ChargePlain(value);
        data = code == Code.Done ? new DataCopier(_guard).ToData(value) : Data.Null;
        return code;
    }

    /// <summary>A copy in the heap; false when its charge does not fit.</summary>
    private bool CopyOut(Data data, Value* to)
    {
        if (!Charge(DataVisitor.Weight(data)))
        {
            return false;
        }

        *to = PlainData.ToValue(data, _heap);
        return true;
    }
}
