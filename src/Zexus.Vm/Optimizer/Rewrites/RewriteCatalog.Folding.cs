using Zexus.Isa;
using static Zexus.Isa.Opcode;

namespace Zexus.Vm;

/// <summary>What depends on constants only is computed once. Its charges stay, those by size too.</summary>
public static partial class RewriteCatalog
{
    private const KindSet NumberButNull = KindSet.Bool | KindSet.Int | KindSet.Float;

    private static ConstantAmount Sizes => new ConstantAmount.Sum(SizeOf("k1"), SizeOf("k2"));

    private static ConstantAmount ShorterText => new ConstantAmount.Least(TextOf("k1"), TextOf("k2"));

    private static IEnumerable<Rewrite> Folding()
    {
        ConstantAmount product = new ConstantAmount.Sum(Sizes, new ConstantAmount.Product(SizeOf("k1"), SizeOf("k2")));
        ConstantAmount order = new ConstantAmount.Sum(Sizes, ShorterText);

        yield return FoldTwo("fold/add", ADD, Sizes, [Of("k1", KindSet.Number), Of("k2", KindSet.Number), Ends(ADD)]);
        yield return FoldTwo(
            "fold/add-to-text",
            ADD,
            TextOf(Apply(ADD, "k1", "k2")),
            [Of("k1", KindSet.String), IsScalar("k2"), new Precondition.ConstantSmall("k2"), Ends(ADD)]
        );
        yield return FoldTwo(
            "fold/add-text-to",
            ADD,
            TextOf(Apply(ADD, "k1", "k2")),
            [IsScalar("k1"), Of("k2", KindSet.String), new Precondition.ConstantSmall("k1"), Ends(ADD)]
        );
        yield return FoldTwo("fold/sub", SUB, Sizes, [Ends(SUB)]);
        yield return FoldTwo("fold/mul", MUL, product, [Of("k1", KindSet.Number), Of("k2", KindSet.Number), Ends(MUL)]);
        yield return FoldTwo("fold/div", DIV, product, [Ends(DIV)]);
        yield return FoldTwo("fold/mod", MOD, product, [Ends(MOD)]);
        // A power of Ints charges for the size that it has.
        yield return FoldTwo("fold/pow", POW, Sizes, [Of("k1", KindSet.Float), Ends(POW)]);

        yield return FoldOne("fold/neg", NEG, SizeOf("k"), [EndsAlone(NEG)]);
        yield return FoldOne("fold/inc", INC, SizeOf("k"), [Of("k", KindSet.Number), EndsAlone(INC)]);
        yield return FoldOne("fold/dec", DEC, SizeOf("k"), [EndsAlone(DEC)]);
        yield return FoldOne("fold/not", NOT, null, [IsScalar("k")]);
        yield return FoldOne("fold/length", GET_LENGTH, null, [Of("k", KindSet.String | KindSet.Null)]);
        yield return FoldOne("fold/hash", HASH_BLOCK, TextOf("k"), [Of("k", KindSet.String)]);

        foreach (Opcode opcode in (Opcode[])[EQ, NEQ])
        {
            string name = NameOf(opcode);
            yield return FoldTwo(
                $"fold/{name}-numbers",
                opcode,
                Sizes,
                [Of("k1", NumberButNull), Of("k2", NumberButNull)]
            );
            yield return FoldTwo(
                $"fold/{name}-left",
                opcode,
                ShorterText,
                [Of("k1", KindSet.Null | KindSet.String), IsScalar("k2")]
            );
            yield return FoldTwo(
                $"fold/{name}-right",
                opcode,
                null,
                [Of("k1", NumberButNull), Of("k2", KindSet.Null | KindSet.String)]
            );
        }

        foreach (Opcode opcode in (Opcode[])[LT, GT, LTE, GTE])
        {
            yield return FoldTwo($"fold/{NameOf(opcode)}", opcode, order, [IsScalar("k1"), Ends(opcode)]);
        }

        yield return FoldTwo("fold/and", AND, null, [IsScalar("k1"), IsScalar("k2")]);
        yield return FoldTwo("fold/or", OR, null, [IsScalar("k1"), IsScalar("k2")]);

        // One instruction more to run than to charge for, but both constants can be folded on.
        yield return new Rewrite(
            "fold/dup",
            Technique.ConstantFolding,
            1,
            "k; DUP = k; k",
            [P(LOAD_CONST, K), P(DUP)],
            [Do(LOAD_CONST, K).Static(0), Do(LOAD_CONST, K).For(1).Static(1)],
            [IsScalar("k")],
            [Do(LOAD_CONST, K).Static(1), Do(LOAD_CONST, K).For(1).Static(0)]
        );

        yield return FoldRegisters("fold/add-registers", ADD, ADD_REG, Sizes);
        yield return FoldRegisters("fold/mul-registers", MUL, MUL_REG, product);
    }

    private static string NameOf(Opcode opcode) => OpcodeFacts.Of(opcode).Info.Mnemonic.ToLowerInvariant();

    private static Precondition Of(string constant, KindSet kinds) => new Precondition.ConstantKind(constant, kinds);

    private static Precondition Ends(Opcode opcode) => new Precondition.Evaluates(Apply(opcode, "k1", "k2"));

    private static Precondition EndsAlone(Opcode opcode) => new Precondition.Evaluates(Apply(opcode, "k"));

    private static ConstantAmount SizeOf(string constant) =>
        new ConstantAmount.Size(new ConstantExpression.Matched(constant));

    private static ConstantAmount TextOf(string constant) => TextOf(new ConstantExpression.Matched(constant));

    private static ConstantAmount TextOf(ConstantExpression expression) => new ConstantAmount.Text(expression);

    private static Rewrite FoldTwo(string name, Opcode opcode, ConstantAmount? amount, Precondition[] preconditions)
    {
        ReplacementInstruction folded = Do(LOAD_CONST, New(Apply(opcode, "k1", "k2"))).For(2);

        // Twins: the operands the other way round, where that matters; else the charge by size is forgotten, or, where
        // there is none, two charges have changed places.
        ReplacementInstruction twin = opcode.Tag switch
        {
            Tags.SUB or Tags.DIV or Tags.MOD or Tags.POW or Tags.LT or Tags.GT or Tags.LTE or Tags.GTE => (
                folded with
                {
                    Operands = [New(Apply(opcode, "k2", "k1"))],
                }
            )
                .Static(0, 1, 2)
                .Constant(2, amount),
            _ => amount is null ? folded.Static(0, 2, 1) : folded.Static(0, 1, 2),
        };
        return new Rewrite(
            name,
            Technique.ConstantFolding,
            1,
            $"k1 {opcode} k2 is a constant",
            [P(LOAD_CONST, K1), P(LOAD_CONST, K2), P(opcode)],
            [folded.Static(0, 1, 2).Constant(2, amount)],
            [.. preconditions],
            [twin]
        );
    }

    private static Rewrite FoldOne(string name, Opcode opcode, ConstantAmount? amount, Precondition[] preconditions)
    {
        ReplacementInstruction folded = Do(LOAD_CONST, New(Apply(opcode, "k"))).For(1);
        return new Rewrite(
            name,
            Technique.ConstantFolding,
            1,
            $"{opcode} k is a constant",
            [P(LOAD_CONST, K), P(opcode)],
            [folded.Static(0, 1).Constant(1, amount)],
            [.. preconditions],
            [amount is null ? folded.Static(1, 0) : folded.Static(0, 1)]
        );
    }

    private static Rewrite FoldRegisters(string name, Opcode opcode, Opcode onRegisters, ConstantAmount amount)
    {
        ReplacementInstruction folded = Do(LOAD_REG, D, New(Apply(opcode, "k1", "k2"))).For(2).Static(2);
        return new Rewrite(
            name,
            Technique.ConstantFolding,
            1,
            $"a := k1; b := k2; d := a {opcode} b: d := a constant",
            [P(LOAD_REG, A, K1), P(LOAD_REG, B, K2), P(onRegisters, D, A, B)],
            [Do(LOAD_REG, A, K1).Static(0), Do(LOAD_REG, B, K2).For(1).Static(1), folded.Constant(2, amount)],
            [new Precondition.Different("a", "b"), Of("k1", KindSet.Number), Of("k2", KindSet.Number), Ends(opcode)],
            [Do(LOAD_REG, A, K1).Static(0), Do(LOAD_REG, B, K2).For(1).Static(1), folded]
        );
    }
}
