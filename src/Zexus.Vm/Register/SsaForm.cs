using Zexus.Isa;

namespace Zexus.Vm;

/// <summary>
/// The variables of a function in static single assignment form (Cytron et al., TOPLAS 1991), pruned (Choi, Cytron and Ferrante, POPL 1991): each
/// assignment makes a version of its own, and where stretches of code meet a phi makes one of each variable that may be read from there on.
/// A web is a phi congruence class (Sreedhar et al., SAS 1999): versions that phis join. Two versions of one variable never hold at once, so a web may have
/// one register, with no copies where stretches meet; two webs of a variable have nothing to do with each other.
/// </summary>
internal sealed class SsaForm
{
    private readonly int _variables;

    // By instruction: the stretch it stands in. The first begins before all code, the others where one lands.
    private readonly int[] _stretchOf;
    private readonly List<int> _starts = [-1];

    // By variable: the instructions that assign it, in order, and the version that the first of them makes.
    private readonly List<int>[] _assignments;
    private readonly int[] _firstVersions;

    // By version, those of stretches first: another of its web, or itself.
    private readonly int[] _leaders;

    public SsaForm(StackCode code, FramePlaces places, FunctionGraph graph, Liveness liveness)
    {
        _variables = places.Variables;
        _stretchOf = new int[code.Count];
        _assignments = [.. Enumerable.Range(0, _variables).Select(_ => new List<int>())];
        for (int at = 0; at < code.Count; at++)
        {
            if (!code.IsReached(at))
            {
                continue;
            }

            if (code.IsLanding(at))
            {
                _starts.Add(at);
            }

            _stretchOf[at] = _starts.Count - 1;
            if (Assigned(code[at], places) is var variable and >= 0)
            {
                _assignments[variable].Add(at);
            }
        }

        _firstVersions = new int[_variables];
        int versions = _starts.Count * _variables;
        for (int variable = 0; variable < _variables; variable++)
        {
            _firstVersions[variable] = versions;
            versions += _assignments[variable].Count;
        }

        _leaders = [.. Enumerable.Range(0, versions)];
        JoinPhis(code, graph, liveness);
        JoinHandled(liveness);
    }

    /// <summary>The web of what a variable holds before an instruction.</summary>
    public int WebBefore(int variable, int at) => Leader(Version(variable, at, at - 1));

    /// <summary>The web of what it holds when the instruction has acted.</summary>
    public int WebBehind(int variable, int at) => Leader(Version(variable, at, at));

    private static int Assigned(TranslatedInstruction instruction, FramePlaces places) =>
        instruction.Opcode.Tag switch
        {
            Opcode.Tags.STORE_NAME or Opcode.Tags.STORE_CONST or Opcode.Tags.STORE_FUNC => places.OfName(instruction.A),
            Opcode.Tags.STORE_REG => places.OfName(instruction.B),
            _ => -1,
        };

    /// <summary>The operands of a phi are what its variable holds wherever the code comes from.</summary>
    private void JoinPhis(StackCode code, FunctionGraph graph, Liveness liveness)
    {
        Node[] nodes = new Node[code.Count];
        for (Node node = graph.First; !node.IsEnd; node = node.Next!)
        {
            nodes[node.Place] = node;
        }

        bool arrives = true;
        for (int at = 0; at < code.Count; at++)
        {
            if (code.IsReached(at) && code.IsLanding(at) && arrives)
            {
                Arrive(at, at - 1);
            }

            arrives = code.IsReached(at) && code.Facts(at).GoesOn;
            if (code.IsReached(at) && code.Facts(at).TargetOperand >= 0 && !code.Facts(at).Info.Flow.IsTry)
            {
                Arrive(code.Target(at), at);
            }
        }

        void Arrive(int landing, int from)
        {
            for (int variable = 0; landing < code.Count && variable < _variables; variable++)
            {
                if (liveness.IsLiveAt(nodes[landing], variable))
                {
                    Join(OfStretch(_stretchOf[landing], variable), from < 0 ? variable : Version(variable, from, from));
                }
            }
        }
    }

    /// <summary>A handler may be entered from anywhere, so that every version of what is read there is an operand of its phi.</summary>
    private void JoinHandled(Liveness liveness)
    {
        for (int variable = 0; variable < _variables; variable++)
        {
            if (!liveness.IsLiveAtHandler(variable))
            {
                continue;
            }

            for (int stretch = 1; stretch < _starts.Count; stretch++)
            {
                Join(OfStretch(stretch, variable), variable);
            }

            for (int i = 0; i < _assignments[variable].Count; i++)
            {
                Join(_firstVersions[variable] + i, variable);
            }
        }
    }

    private int OfStretch(int stretch, int variable) => (stretch * _variables) + variable;

    /// <summary>The version in the stretch of one instruction after another one of it.</summary>
    private int Version(int variable, int at, int last)
    {
        int stretch = _stretchOf[at];
        int index = _assignments[variable].BinarySearch(last);
        index = index >= 0 ? index : ~index - 1;
        return index >= 0 && _assignments[variable][index] >= _starts[stretch]
            ? _firstVersions[variable] + index
            : OfStretch(stretch, variable);
    }

    private void Join(int version, int other) => _leaders[Leader(version)] = Leader(other);

    private int Leader(int version)
    {
        while (_leaders[version] != version)
        {
            _leaders[version] = _leaders[_leaders[version]];
            version = _leaders[version];
        }

        return version;
    }
}
