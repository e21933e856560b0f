using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;
using Zexus.Cli.Files;
using Zexus.Cli.Output;
using Zexus.Vm;

namespace Zexus.Cli.Commands;

/// <summary>`zexus key new|sign|verify`.</summary>
internal static class KeyCommand
{
    private const string UsualFile = "key.pem";

    private static readonly (string Name, SignatureScheme Scheme)[] Schemes =
    [
        ("ed25519", SignatureScheme.Ed25519),
        ("secp256k1", SignatureScheme.Secp256k1),
        ("p256", SignatureScheme.P256),
    ];

    public static Command Create(Terminal terminal)
    {
        Command command = new("key", "Keys and signatures for VERIFY_SIGNATURE (docs/signatures.md).")
        {
            New(terminal),
            Sign(terminal),
            Verify(terminal),
        };
        HelpWithExamples.Add(
            command,
            "./zexus key new --scheme ed25519 --out alice.pem",
            "./zexus key sign --key alice.pem 'release 17'",
            "./zexus key verify --key ed25519:… --signature 3f0c… 'release 17'"
        );
        return command;
    }

    private static Command New(Terminal terminal)
    {
        Option<string> scheme = new("--scheme")
        {
            Description = "The signature scheme.",
            DefaultValueFactory = _ => Schemes[0].Name,
        };
        scheme.AcceptOnlyFromAmong([.. Schemes.Select(it => it.Name)]);
        Option<string> output = new("--out")
        {
            Description = "The file for the private key: new, and readable by its owner only.",
            HelpName = "FILE",
            DefaultValueFactory = _ => UsualFile,
        };
        Option<bool> json = Json();
        Command command = new("new", "Make a private key (PKCS#8 in PEM), and print its public key.")
        {
            scheme,
            output,
            json,
        };
        HelpWithExamples.Add(command, "./zexus key new --scheme ed25519 --out alice.pem");
        command.SetAction(parsed =>
        {
            string name = parsed.GetRequiredValue(scheme);
            string path = parsed.GetRequiredValue(output);
            using SigningKey key = SigningKey.Create(Array.Find(Schemes, it => it.Name == name).Scheme);
            SecretFile.Create(path, Encoding.ASCII.GetBytes(key.ToPem()));
            terminal.Out.WriteLine(
                parsed.GetValue(json)
                    ? Output.Json.Document(
                        ("scheme", Output.Json.Of(name)),
                        ("publicKey", Output.Json.Of(key.PublicKey)),
                        ("file", Output.Json.Of(path))
                    )
                    : key.PublicKey
            );
            return ExitCode.Completed;
        });
        return command;
    }

    private static Command Sign(Terminal terminal)
    {
        Option<string> file = new("--key")
        {
            Description = "The private key: PKCS#8 in PEM, not encrypted.",
            HelpName = "FILE",
            Required = true,
        };
        Option<bool> der = new("--der") { Description = "ECDSA in DER; r and s side by side when not given." };
        (Argument<string?> message, Option<string?> messageFile) = Message();
        Option<bool> json = Json();
        Command command = new("sign", "Sign a message, and print the signature in hex.")
        {
            message,
            file,
            messageFile,
            der,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus key sign --key alice.pem 'release 17'",
            "./zexus key sign --key alice.pem --message-file order.txt"
        );
        command.SetAction(parsed =>
        {
            byte[] text = MessageOf(parsed, message, messageFile, terminal);
            using SigningKey key = ReadKey(parsed.GetRequiredValue(file), terminal);
            if (parsed.GetValue(der) && key.Scheme == SignatureScheme.Ed25519)
            {
                throw Problem.Usage("a signature of Ed25519 has no DER form", "Leave --der out.");
            }

            string signature = parsed.GetValue(der) ? key.SignDer(text) : key.Sign(text);
            terminal.Out.WriteLine(
                parsed.GetValue(json)
                    ? Output.Json.Document(
                        ("publicKey", Output.Json.Of(key.PublicKey)),
                        ("signature", Output.Json.Of(signature))
                    )
                    : signature
            );
            return ExitCode.Completed;
        });
        return command;
    }

    private static Command Verify(Terminal terminal)
    {
        Option<string?> key = new("--key")
        {
            Description = "The public key, in any form that VERIFY_SIGNATURE takes.",
            HelpName = "KEY",
        };
        Option<string?> keyFile = new("--key-file")
        {
            Description = "The file of the public key, for PEM.",
            HelpName = "FILE",
        };
        Option<string> signature = new("--signature")
        {
            Description = "The signature in hex.",
            HelpName = "HEX",
            Required = true,
        };
        (Argument<string?> message, Option<string?> messageFile) = Message();
        Option<bool> json = Json();
        Command command = new("verify", "Does a signature hold? As VERIFY_SIGNATURE answers, with the reason.")
        {
            message,
            key,
            keyFile,
            signature,
            messageFile,
            json,
        };
        HelpWithExamples.Add(
            command,
            "./zexus key verify --key ed25519:… --signature 3f0c… 'release 17'",
            "./zexus key verify --key-file alice.pub --signature 3045… --message-file order.txt"
        );
        command.SetAction(parsed =>
        {
            string text = (parsed.GetValue(key), parsed.GetValue(keyFile)) switch
            {
                ({ } given, null) => given,
                (null, { } path) => Encoding.Latin1.GetString(InputFile.Read(path, terminal)),
                _ => throw Problem.Usage(
                    "which key made the signature?",
                    "Give the public key with --key, or its file with --key-file; one of them."
                ),
            };
            byte[] signed = MessageOf(parsed, message, messageFile, terminal);
            SignatureVerdict verdict = Signatures.Check(parsed.GetRequiredValue(signature), signed, text);
            string reason = Reason(verdict);
            terminal.Out.WriteLine(
                parsed.GetValue(json)
                    ? Output.Json.Document(
                        ("status", Output.Json.Of(reason == "" ? "valid" : "invalid")),
                        ("reason", Output.Json.Of(reason))
                    )
                : reason == "" ? "valid"
                : "not valid: " + reason
            );
            return reason == "" ? ExitCode.Completed : ExitCode.Faulted;
        });
        return command;
    }

    private static string Reason(SignatureVerdict verdict) =>
        verdict switch
        {
            SignatureVerdict.Valid => "",
            SignatureVerdict.MalformedKey => "the public key is of none of the forms in docs/signatures.md",
            SignatureVerdict.MalformedSignature =>
                "the signature is of none of the forms in docs/signatures.md that the key's scheme has",
            SignatureVerdict.HighS =>
                "s is above half the order, which is malleable; the same signature with n - s holds if this is genuine",
            SignatureVerdict.Mismatch => "it is not this key's signature of this message",
            _ => throw new ArgumentOutOfRangeException(nameof(verdict)),
        };

    private static Option<bool> Json() =>
        new("--json") { Description = "One JSON document on standard output (docs/json.md)." };

    private static (Argument<string?>, Option<string?>) Message() =>
        (
            new Argument<string?>("MESSAGE")
            {
                Description = "The text that is signed, as UTF-8.",
                Arity = ArgumentArity.ZeroOrOne,
            },
            new Option<string?>("--message-file")
            {
                Description = "The file with the text, every byte of it, line ends too; - is standard input.",
                HelpName = "FILE",
            }
        );

    private static byte[] MessageOf(
        ParseResult parsed,
        Argument<string?> message,
        Option<string?> file,
        Terminal terminal
    )
    {
        switch (parsed.GetValue(message), parsed.GetValue(file))
        {
            case ({ } text, null):
                return Encoding.UTF8.GetBytes(text);
            case (null, { } path):
                byte[] bytes = InputFile.Read(path, terminal);
                return Utf8.IsValid(bytes)
                    ? bytes
                    : throw Problem.File(
                        $"'{InputFile.Shown(path)}' is no UTF-8, and what a program checks is text",
                        "Sign its hash in hex instead."
                    );
            default:
                throw Problem.Usage(
                    "which message?",
                    "Give it as an argument, or its file with --message-file; one of them."
                );
        }
    }

    private static SigningKey ReadKey(string path, Terminal terminal)
    {
        byte[] bytes = InputFile.Read(path, terminal);
        try
        {
            return SigningKey.FromPem(Encoding.Latin1.GetString(bytes))
                ?? throw Problem.File(
                    $"'{InputFile.Shown(path)}' is no private key of these schemes in PKCS#8, not encrypted",
                    "openssl pkcs8 -topk8 -nocrypt -in FILE turns other forms into it."
                );
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }
}
