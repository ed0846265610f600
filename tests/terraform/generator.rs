//! Expressions made by chance from a seed: functions over ordinary, edge and wrong arguments, nested
//! in each other, in conversions, conditions, loops and templates.

/// Chance that is the same for the same seed everywhere (splitmix64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or_default()
    }

    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// What an argument is meant to be.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Index,
    Text,
    Bool,
    Texts,
    Numbers,
    Bools,
    List,
    Lists,
    Set,
    Map,
    Maps,
    MapOfTexts,
    Any,
    Pattern,
    Format,
    Range4,
    Bits,
    Positive,
    Date,
    Duration,
    DateFormat,
    Base64,
    Json,
    Csv,
    Encoding,
    Namespace,
}
use Kind::*;

const KINDS: &[Kind] = &[
    Number, Index, Text, Bool, Texts, Numbers, Bools, List, Lists, Set, Map, Maps, MapOfTexts,
    Pattern, Format, Range4, Date, Json,
];

/// Functions by what they take and give. `Any` gives a value of a kind that the arguments decide.
const FUNCTIONS: &[(&str, &[Kind], Kind)] = &[
    ("abs", &[Number], Number),
    ("alltrue", &[Bools], Bool),
    ("anytrue", &[Bools], Bool),
    ("base64decode", &[Base64], Text),
    ("base64encode", &[Text], Base64),
    ("base64sha256", &[Text], Base64),
    ("base64sha512", &[Text], Base64),
    ("basename", &[Text], Text),
    ("can", &[Any], Bool),
    ("ceil", &[Number], Number),
    ("chomp", &[Text], Text),
    ("chunklist", &[List, Index], Lists),
    ("cidrhost", &[Range4, Index], Text),
    ("cidrnetmask", &[Range4], Text),
    ("cidrsubnet", &[Range4, Bits, Bits], Range4),
    ("cidrsubnets", &[Range4, Index, Index], Texts),
    ("coalesce", &[Any, Any], Any),
    ("coalesce", &[Text, Text, Number], Text),
    ("coalescelist", &[List, Texts], List),
    ("compact", &[Texts], Texts),
    ("concat", &[List, Texts], List),
    ("concat", &[Texts, Texts, Texts], Texts),
    ("contains", &[List, Any], Bool),
    ("contains", &[Texts, Text], Bool),
    ("csvdecode", &[Csv], Maps),
    ("dirname", &[Text], Text),
    ("distinct", &[List], List),
    ("distinct", &[Texts], Texts),
    ("element", &[List, Index], Any),
    ("endswith", &[Text, Text], Bool),
    ("ephemeralasnull", &[Any], Any),
    ("flatten", &[Lists], List),
    ("flatten", &[List], List),
    ("floor", &[Number], Number),
    ("format", &[Format, Any], Text),
    ("format", &[Format, Number, Text], Text),
    ("formatdate", &[DateFormat, Date], Text),
    ("formatlist", &[Format, Texts], Texts),
    ("formatlist", &[Format, List, Text], Texts),
    ("indent", &[Index, Text], Text),
    ("index", &[List, Any], Number),
    ("issensitive", &[Any], Bool),
    ("join", &[Text, Texts], Text),
    ("join", &[Text, Texts, Texts], Text),
    ("jsondecode", &[Json], Any),
    ("jsonencode", &[Any], Json),
    ("keys", &[Map], Texts),
    ("length", &[List], Number),
    ("length", &[Any], Number),
    ("log", &[Positive, Positive], Number),
    ("lookup", &[Map, Text, Any], Any),
    ("lookup", &[Map, Text], Any),
    ("lower", &[Text], Text),
    ("matchkeys", &[Texts, Texts, Texts], Texts),
    ("max", &[Number, Number], Number),
    ("md5", &[Text], Text),
    ("merge", &[Map, Map], Map),
    ("merge", &[MapOfTexts, Map, MapOfTexts], Map),
    ("min", &[Number, Number, Number], Number),
    ("nonsensitive", &[Any], Any),
    ("one", &[List], Any),
    ("parseint", &[Text, Index], Number),
    // A larger base makes an infinite number, which dayfly refuses.
    ("pow", &[Index, Bits], Number),
    ("range", &[Index], Numbers),
    ("range", &[Index, Index], Numbers),
    ("range", &[Index, Index, Number], Numbers),
    ("regex", &[Pattern, Text], Any),
    ("regexall", &[Pattern, Text], List),
    ("replace", &[Text, Text, Text], Text),
    ("replace", &[Text, Pattern, Text], Text),
    ("reverse", &[List], List),
    ("sensitive", &[Any], Any),
    ("setintersection", &[Set, Set], Set),
    ("setproduct", &[Texts, Set], Lists),
    ("setproduct", &[List, List], Lists),
    ("setsubtract", &[Set, Set], Set),
    ("setunion", &[Set, Texts], Set),
    ("sha1", &[Text], Text),
    ("sha256", &[Text], Text),
    ("sha512", &[Text], Text),
    ("signum", &[Index], Number),
    ("slice", &[List, Index, Index], List),
    ("sort", &[Texts], Texts),
    ("split", &[Text, Text], Texts),
    ("startswith", &[Text, Text], Bool),
    ("strcontains", &[Text, Text], Bool),
    ("strrev", &[Text], Text),
    ("substr", &[Text, Index, Index], Text),
    ("sum", &[Numbers], Number),
    ("textdecodebase64", &[Base64, Encoding], Text),
    ("textencodebase64", &[Text, Encoding], Base64),
    ("timeadd", &[Date, Duration], Date),
    ("timecmp", &[Date, Date], Number),
    ("title", &[Text], Text),
    ("tobool", &[Any], Bool),
    ("tolist", &[List], List),
    ("tolist", &[Any], List),
    ("tomap", &[Map], Map),
    ("tomap", &[Any], Map),
    ("tonumber", &[Any], Number),
    ("toset", &[List], Set),
    ("toset", &[Any], Set),
    ("tostring", &[Any], Text),
    ("transpose", &[Maps], Map),
    ("trim", &[Text, Text], Text),
    ("trimprefix", &[Text, Text], Text),
    ("trimspace", &[Text], Text),
    ("trimsuffix", &[Text, Text], Text),
    ("try", &[Any, Any], Any),
    ("upper", &[Text], Text),
    ("urlencode", &[Text], Text),
    ("uuidv5", &[Namespace, Text], Text),
    ("values", &[Map], List),
    ("yamlencode", &[Any], Text),
    ("yamlencode", &[Map], Text),
    ("yamlencode", &[List], Text),
    ("zipmap", &[Texts, List], Map),
];

fn written(kind: Kind) -> &'static [&'static str] {
    match kind {
        Number => &[
            "0",
            "-0",
            "1",
            "-1",
            "2.5",
            "-2.5",
            "1e3",
            "1e-7",
            "0.1",
            "9007199254740993",
            "1 / 3",
            "-7 % 3",
            "18446744073709551616",
            "\"12\"",
            "123456789.987654321",
        ],
        Index => &[
            "0", "1", "2", "3", "4", "5", "8", "-1", "10", "16", "1.5", "\"2\"", "100",
        ],
        Text => &[
            "\"\"",
            "\"a\"",
            "\"b\"",
            "\"Hello World\"",
            "\"  x \"",
            "\"é\"",
            "\"e\\u0301\"",
            "\"ß\"",
            "\"😀a\"",
            "\"a,b,,c\"",
            "\"a/b/../c.txt\"",
            "\"/\"",
            "\"line\\nline\\r\\n\\n\"",
            "\"İı\"",
            "\"0x1F\"",
            "\"zz\"",
            "\"12\"",
            "\"true\"",
            "\"/a+/\"",
            "\"ab.ab\"",
            "\"$${x} %%{y}\"",
            "\"日本語\"",
            "\"a\\tb\\\"c\\\\\"",
            "\"<&>\"",
            "12",
            "true",
            "1.50",
            "\"👨‍👩‍👧x\"",
            "\"ǆ ŉ\"",
        ],
        Bool => &["true", "false", "\"true\"", "1 > 2", "!false", "1 == 1.0"],
        Texts => &[
            "[]",
            "[\"a\", \"b\"]",
            "[\"b\", \"\", \"a\", \"b\"]",
            "tolist([\"é\", \"z\", \"Z\"])",
            "[1, \"a\", true]",
            "[\"x\"]",
            "toset([\"b\", \"a\"])",
            "[null, \"a\"]",
            "[\"10\", \"9\"]",
            "[for s in [\"q\", \"r\"] : upper(s)]",
        ],
        Numbers => &[
            "[]",
            "[1, 2, 3]",
            "[0.1, 0.2]",
            "[-1]",
            "[\"1\", 2]",
            "toset([3, 1, 2])",
            "[1e30, 1]",
            "[1, null]",
        ],
        Bools => &[
            "[]",
            "[true]",
            "[true, false]",
            "[\"true\"]",
            "[true, null]",
            "tolist([false])",
        ],
        List => &[
            "[]",
            "[1, 2, 3]",
            "[1, \"a\", null]",
            "[[1], [2, 3]]",
            "[{ a = 1 }, { a = 2 }]",
            "tolist([1, 2])",
            "toset([\"b\", \"a\"])",
            "[null]",
            "[[], [[\"x\"]], \"y\"]",
            "[1, 1, \"1\"]",
            "[true, \"true\"]",
            "[{ a = 1 }, { b = \"x\" }]",
        ],
        Lists => &[
            "[[1, 2], [3]]",
            "[]",
            "[[], [\"a\"]]",
            "[[[1]], [2]]",
            "[toset([\"a\"]), [\"b\"]]",
            "[[null], [1]]",
        ],
        Set => &[
            "toset([])",
            "toset([\"b\", \"a\", \"b\"])",
            "toset([1, 2])",
            "toset([\"1\", 2])",
            "toset([[1], [2]])",
            "toset([{ a = \"x\" }, { a = \"b\" }])",
            "toset([true])",
            "[\"a\"]",
            "toset([null, \"a\"])",
        ],
        Map => &[
            "{}",
            "{ a = 1, b = 2 }",
            "{ a = 1, b = \"x\" }",
            "tomap({ a = 1, b = \"x\" })",
            "{ \"a b\" = null, é = 3 }",
            "{ b = { c = 1 }, a = { c = 2 } }",
            "{ a = null }",
            "tomap({ z = [1], y = [] })",
            "{ (\"k\") = true }",
            "{ for s in [\"x\", \"y\"] : s => upper(s) }",
        ],
        Maps => &[
            "{ a = [\"1\", \"2\"], b = [\"2\"] }",
            "{}",
            "{ a = [] }",
            "{ a = [\"é\"], é = [\"a\"] }",
            "[{ a = 1 }, { a = 2, b = 3 }]",
            "{ a = null }",
        ],
        MapOfTexts => &[
            "{ a = \"x\", b = \"y\" }",
            "tomap({ c = \"z\" })",
            "{}",
            "tomap({})",
            "{ a = null }",
        ],
        Any => &["null", "{}", "[]", "\"\"", "0", "false"],
        Pattern => &[
            "\"a\"",
            "\"[a-z]+\"",
            "\"(a)(b)?\"",
            "\"(?P<x>[a-z])(?P<y>.)?\"",
            "\"^$\"",
            "\"\\\\d+\"",
            "\"(\"",
            "\"a*\"",
            "\"(?i)HELLO\"",
            "\"\\\\b\"",
            "\"/l+/\"",
            "\"/(l)(.)/\"",
            "\".\"",
            "\"[é]\"",
            "\"(?s).$\"",
            "\"\\\\pL+\"",
        ],
        Format => &[
            "\"%s\"",
            "\"%d\"",
            "\"%v\"",
            "\"%q\"",
            "\"%5.2f|\"",
            "\"%-5s|\"",
            "\"%05d\"",
            "\"%t\"",
            "\"%%\"",
            "\"%x\"",
            "\"%+d\"",
            "\"%#v\"",
            "\"%s-%s\"",
            "\"%[2]s %[1]v\"",
            "\"%e\"",
            "\"%g\"",
            "\"%b\"",
            "\"%o\"",
            "\"%X\"",
            "\"%8s\"",
            "\"%.3s\"",
            "\"%z\"",
            "\"plain\"",
            "\"%*d\"",
            "\"%v %v\"",
            "\"%d and %s\"",
            "\"%.2g\"",
            "\"% d\"",
            "\"%G\"",
            "\"%E\"",
            "\"%c\"",
        ],
        Range4 => &[
            "\"10.0.0.0/8\"",
            "\"192.168.1.0/24\"",
            "\"10.1.2.3/16\"",
            "\"fd00::/64\"",
            "\"0.0.0.0/0\"",
            "\"10.0.0.0/33\"",
            "\"10.0.0.1\"",
            "\"2001:db8::1/48\"",
            "\"10.0.0.0/31\"",
            "\"10.0.0.0/30\"",
        ],
        // Of others the logarithm is none, or infinite, which dayfly refuses.
        Positive => &["1", "2", "10", "0.1", "1e3", "12.5", "\"8\"", "1 / 3"],
        // Negative bits make a range that is no part, and the digits of a broken power differ between
        // machines: both are refused by dayfly alone.
        Bits => &["0", "1", "4", "8", "\"2\"", "33", "129"],
        Date => &[
            "\"2026-11-22T00:00:00Z\"",
            "\"2024-02-29T23:59:59.123456789+02:00\"",
            "\"1969-12-31T23:59:59Z\"",
            "\"2026-13-01T00:00:00Z\"",
            "\"2026-01-01\"",
            "\"0001-01-01T00:00:00Z\"",
            "\"2026-11-22T12:00:00-00:00\"",
            "\"2026-11-22t00:00:00z\"",
        ],
        Duration => &[
            "\"1h\"",
            "\"-1h30m\"",
            "\"1.5s\"",
            "\"100ns\"",
            "\"24h\"",
            "\"1d\"",
            "\"\"",
            "\"0\"",
            "\"1µs\"",
            "\"8760h\"",
        ],
        DateFormat => &[
            "\"YYYY-MM-DD\"",
            "\"DD MMM YYYY hh:mm ZZZ\"",
            "\"EEEE, DD-MMM-YY hh:mm:ss ZZZ\"",
            "\"H 'o''clock' AA\"",
            "\"h:m:s aa\"",
            "\"ZZZZZ\"",
            "\"Z\"",
            "\"YYY\"",
            "\"'open\"",
            "\"M D MMMM\"",
            "\"ZZZZ\"",
            "\"HH EEE YY\"",
        ],
        Base64 => &[
            "\"aGk=\"",
            "\"\"",
            "\"w6k=\"",
            "\"aGk\"",
            "\"a\"",
            "\"/////w==\"",
            "\"aABpAA==\"",
            "\"aGl=\"",
        ],
        Json => &[
            "\"{}\"",
            "\"[1,2.50,1e3]\"",
            "\"{\\\"a\\\":{\\\"b\\\":null}}\"",
            "\"null\"",
            "\"\\\"é\\\"\"",
            "\"[\"",
            "\"tru\"",
            "\" 1 \"",
            "\"{\\\"a\\\":1,\\\"a\\\":2}\"",
            "\"-0\"",
            "\"01\"",
            "\"[1,]\"",
            "\"\\\"\\\\ud83d\\\\ude00\\\"\"",
            "\"1e40\"",
        ],
        Csv => &[
            "\"a,b\\n1,2\"",
            "\"a\\n\\n1\\n\"",
            "\"a,b\\n1\"",
            "\"a\\n\\\"x\\ny\\\"\"",
            "\"a,a\\n1,2\"",
            "\"a\\n\\\"\"",
            "\" a,b \\n 1,\\n\"",
        ],
        Encoding => &[
            "\"UTF-8\"",
            "\"UTF-16LE\"",
            "\"utf-16be\"",
            "\"UTF-16\"",
            "\"nosuch\"",
        ],
        Namespace => &[
            "\"dns\"",
            "\"url\"",
            "\"oid\"",
            "\"x500\"",
            "\"nosuch\"",
            "\"6ba7b810-9dad-11d1-80b4-00c04fd430c8\"",
        ],
    }
}

/// An expression in which up to `depth` functions stand within each other.
pub(crate) fn expression(chance: &mut Chance, depth: usize) -> String {
    let row = chance.of(FUNCTIONS);
    call(chance, row, depth)
}

fn call(chance: &mut Chance, row: &(&str, &[Kind], Kind), depth: usize) -> String {
    let (name, kinds, _) = row;
    let mut arguments: Vec<String> = Vec::new();
    for kind in *kinds {
        arguments.push(value(chance, *kind, depth - 1));
    }
    // A null of no type makes a value that Terraform never knows, not even at the end.
    if name.starts_with("format") {
        for argument in &mut arguments {
            *argument = argument.replace("null", "{}");
        }
    }
    match chance.below(100) {
        0 => drop(arguments.pop()),
        1 => arguments.push(value(chance, Any, depth - 1)),
        2 if !arguments.is_empty() && !matches!(*name, "try" | "can") => {
            return format!("{name}([{}]...)", arguments.join(", "));
        }
        _ => {}
    }
    format!("{name}({})", arguments.join(", "))
}

fn value(chance: &mut Chance, wanted: Kind, depth: usize) -> String {
    let kind = if wanted == Any || chance.percent(6) {
        *chance.of(KINDS)
    } else {
        wanted
    };
    if chance.percent(2) {
        return "null".to_owned();
    }
    if chance.percent(2) {
        return format!("sensitive({})", value(chance, wanted, depth));
    }
    if depth == 0 || chance.percent(45) {
        return (*chance.of(written(kind))).to_owned();
    }
    match chance.below(12) {
        0 => format!(
            "({} ? {} : {})",
            value(chance, Bool, depth - 1),
            value(chance, kind, depth - 1),
            value(chance, kind, depth - 1)
        ),
        1 if matches!(kind, Text | Any) => format!(
            "\"<${{{}}}-${{{}}}>\"",
            value(chance, Text, depth - 1),
            value(chance, Number, depth - 1)
        ),
        1 if matches!(kind, Number) => {
            let (left, operator) = (
                value(chance, Number, depth - 1),
                *chance.of(&["+", "-", "*", "/", "%"]),
            );
            // What is divided by a negative zero is infinite, which dayfly refuses.
            let right = value(chance, Number, depth - 1).replace("-0", "0");
            format!("({left} {operator} {right})")
        }
        1 if matches!(kind, Bool) => format!(
            "({} {} {})",
            value(chance, Any, depth - 1),
            chance.of(&["==", "!="]),
            value(chance, Any, depth - 1)
        ),
        2 if matches!(kind, List | Texts) => format!(
            "[for k, v in {} : {}]",
            searched(chance, depth - 1),
            chance.of(&[
                "v",
                "k",
                "\"${k}\"",
                "[k, v]",
                "v if v != null",
                "{ x = v }"
            ])
        ),
        2 if matches!(kind, Map | MapOfTexts) => format!(
            "{{ for k, v in {} : {} }}",
            searched(chance, depth - 1),
            chance.of(&[
                "k => v",
                "\"${v}\" => k...",
                "k => v if k != \"a\"",
                "upper(k) => [v]"
            ])
        ),
        3 if matches!(kind, List | Lists) => format!(
            "{}[*]{}",
            searched(chance, depth - 1),
            chance.of(&["", ".a", "[0]"])
        ),
        _ => {
            let fitting: Vec<_> = FUNCTIONS
                .iter()
                .filter(|(_, _, gives)| *gives == kind)
                .collect();
            match fitting.is_empty() {
                true => (*chance.of(written(kind))).to_owned(),
                false => {
                    let row = *chance.of(&fitting);
                    call(chance, row, depth)
                }
            }
        }
    }
}

/// Something to loop over.
fn searched(chance: &mut Chance, depth: usize) -> String {
    let kind = *chance.of(&[List, Texts, Set, Map, Maps, Lists]);
    value(chance, kind, depth)
}

/// The functions that expressions are made of.
pub(crate) fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, ..)| *name)
}
