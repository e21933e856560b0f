using System.Reflection;
using System.Reflection.Emit;

namespace Zexus.Vm;

/// <summary>
/// The IL of one method, or nothing: while the compiler only follows the code to learn what reaches each block, the same steps
/// run with emission off, so that what it learned and what it emits cannot differ.
/// </summary>
internal sealed class Il(ILGenerator generator)
{
    private readonly List<Action> _cold = [];

    public bool Enabled { get; set; }

    /// <summary>IL instructions so far.</summary>
    public int Count { get; private set; }

    public Label NewLabel() => Enabled ? generator.DefineLabel() : default;

    public LocalBuilder NewLocal(Type type) => generator.DeclareLocal(type);

    public void Mark(Label label)
    {
        if (Enabled)
        {
            generator.MarkLabel(label);
        }
    }

    /// <summary>Code for behind the hot path.</summary>
    public void Cold(Action emit)
    {
        if (Enabled)
        {
            _cold.Add(emit);
        }
    }

    public void EmitCold()
    {
        // Cold code may put off more.
        for (int i = 0; i < _cold.Count; i++)
        {
            _cold[i]();
        }

        _cold.Clear();
    }

    public void Op(OpCode code)
    {
        if (Enabled)
        {
            generator.Emit(code);
            Count++;
        }
    }

    /// <summary>A load or store that the compiler may not turn into a register's.</summary>
    public void Volatile(OpCode code)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Volatile);
            generator.Emit(code);
            Count += 2;
        }
    }

    public void Branch(OpCode code, Label label)
    {
        if (Enabled)
        {
            generator.Emit(code, label);
            Count++;
        }
    }

    public void Load(LocalBuilder local)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldloc, local);
            Count++;
        }
    }

    public void Store(LocalBuilder local)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Stloc, local);
            Count++;
        }
    }

    public void AddressOf(LocalBuilder local)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldloca, local);
            Count++;
        }
    }

    public void Argument(int index)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldarg, (short)index);
            Count++;
        }
    }

    public void Long(long value)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldc_I8, value);
            Count++;
        }
    }

    public void Int(int value)
    {
        if (Enabled)
        {
            if (value is >= sbyte.MinValue and <= sbyte.MaxValue)
            {
                generator.Emit(OpCodes.Ldc_I4_S, (sbyte)value);
            }
            else
            {
                generator.Emit(OpCodes.Ldc_I4, value);
            }

            Count++;
        }
    }

    public void Double(double value)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldc_R8, value);
            Count++;
        }
    }

    public unsafe void Address(void* address)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldc_I8, (long)address);
            generator.Emit(OpCodes.Conv_U);
            Count += 2;
        }
    }

    public void Field(FieldInfo field)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Ldfld, field);
            Count++;
        }
    }

    public void StoreField(FieldInfo field)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Stfld, field);
            Count++;
        }
    }

    public void Call(MethodInfo method)
    {
        if (Enabled)
        {
            generator.Emit(OpCodes.Call, method);
            Count++;
        }
    }

    public void CallPointer(Type result, params Type[] parameters)
    {
        if (Enabled)
        {
            generator.EmitCalli(OpCodes.Calli, CallingConventions.Standard, result, parameters, null);
            Count++;
        }
    }
}
