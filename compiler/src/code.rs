//! The codes of everything that can be said about a policy.
//!
//! Owns the list: numbers, titles, usual severities, and the pages that
//! `lsmpc explain` shows. A number is never reused. It must not know when a code
//! is used, nor the codes `LSMP4xxx`: those are about kernels, and the runtime's.
//!
//! `LSMP0xxx` text and syntax (up to 0019 the syntax crate's), `1xxx` names and
//! types, `2xxx` analysis, `3xxx` limits, `9xxx` internal.

use lsmpc_syntax::SyntaxCode;

use crate::diagnostic::Severity;

macro_rules! codes {
    ($($name:ident = $code:literal $severity:ident $title:literal;)*) => {
        /// What a diagnostic is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!($code, ": ", $title)] $name,)*
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as users see it: `LSMP1001`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What the code stands for, in one line.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// How grave what it stands for is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// The page that explains it: what it means, an example, what to do.
            #[must_use]
            pub const fn explain(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../docs/codes/", $code, ".md")),)*
                }
            }
        }
    };
}

codes! {
    UnexpectedToken = "LSMP0001" Error "unexpected token";
    UnterminatedString = "LSMP0002" Error "unterminated string";
    BadEscape = "LSMP0003" Error "unknown escape in a string";
    BadInteger = "LSMP0004" Error "malformed integer";
    IntegerTooLarge = "LSMP0005" Error "integer too large";
    UnexpectedCharacter = "LSMP0006" Error "unexpected character";
    NestingTooDeep = "LSMP0007" Error "nesting too deep";
    FileTooLarge = "LSMP0008" Error "file too large";
    StatementNotAllowedHere = "LSMP0009" Error "statement not allowed here";
    UnclosedDelimiter = "LSMP0010" Error "unclosed brace, bracket or parenthesis";
    ChainedComparison = "LSMP0011" Error "chained comparison";
    KeywordAsName = "LSMP0012" Error "keyword used as a name";
    DottedName = "LSMP0013" Error "dotted name where a plain one is needed";
    UnmatchedBrace = "LSMP0014" Error "closing brace without an opening one";
    MisplacedAnnotation = "LSMP0015" Error "annotation that belongs to no rule";
    EqualsConfused = "LSMP0016" Error "`=` and `==` confused";
    UnknownLiteral = "LSMP0017" Error "unknown kind of literal";
    MissingQuotes = "LSMP0018" Error "text without quotes";
    TooManyErrors = "LSMP0019" Error "too many errors";
    Unreadable = "LSMP0020" Error "a file cannot be read";
    NotUtf8 = "LSMP0021" Error "a file is not UTF-8";
    IncludeNotFound = "LSMP0022" Error "an included file does not exist";
    IncludeCycle = "LSMP0023" Error "files include each other in a circle";
    IncludeOutside = "LSMP0024" Error "an included file lies outside the policy's directory";
    PolicyIsDirectory = "LSMP0025" Error "a directory given as a policy file";
    EmptyPolicy = "LSMP0026" Warning "the policy says nothing";
    EmptyInclude = "LSMP0027" Warning "an included directory holds no policy files";

    UnknownHook = "LSMP1001" Error "unknown hook";
    UnknownField = "LSMP1002" Error "unknown field";
    UnknownName = "LSMP1003" Error "unknown name";
    UnknownAnnotation = "LSMP1004" Error "unknown annotation";
    UnknownErrno = "LSMP1005" Error "unknown errno";
    FieldNotOnHook = "LSMP1006" Error "a hook does not have the field";
    NotOnKernel = "LSMP1007" Error "the requested kernel lacks it";
    OutOfScope = "LSMP1009" Error "no condition can be about this";
    TypeMismatch = "LSMP1010" Error "a value of the wrong type";
    OutOfRange = "LSMP1011" Error "a value that the field can never have";
    ReversedRange = "LSMP1012" Error "a range that ends before it begins";
    WrongOperator = "LSMP1013" Error "an operator that does not suit the field or value";
    NestedSet = "LSMP1014" Error "a set inside a set";
    EmptyHas = "LSMP1015" Error "`has` with an empty set";
    BadAddress = "LSMP1016" Error "malformed address";
    HostBits = "LSMP1017" Error "address bits beyond the prefix";
    BadGlob = "LSMP1018" Error "malformed glob";
    GlobNeverMatches = "LSMP1019" Error "a glob that can never match";
    CommTooLong = "LSMP1020" Error "longer than a task's name can be";
    DuplicateLet = "LSMP1021" Error "a name bound twice";
    RecursiveLet = "LSMP1022" Error "a `let` that needs itself";
    LetNameTaken = "LSMP1023" Error "a `let` named like a field, a hook or an enumerator";
    NotAValue = "LSMP1024" Error "not a value";
    UnknownAccount = "LSMP1025" Error "unknown user or group";
    BadAnnotation = "LSMP1026" Error "a value that the annotation does not take";
    RepeatedAnnotation = "LSMP1027" Error "an annotation given twice";
    DuplicateId = "LSMP1028" Error "an id used twice";
    ContradictoryDefaults = "LSMP1029" Error "defaults that contradict each other";
    AllowWithoutDefault = "LSMP1030" Error "`allow` where everything is allowed";
    ObjectField = "LSMP1031" Error "an object field where only the subject is known";
    NotACondition = "LSMP1032" Error "not a condition";
    DuplicateScope = "LSMP1033" Error "a scope's name used twice";
    BadBinding = "LSMP1034" Error "a test binds what cannot be bound";
    ErrnoHazard = "LSMP1035" Error "an errno that the kernel does not bear there";

    NeverMatches = "LSMP2001" Warning "a rule that can never match";
    Redundant = "LSMP2002" Warning "a rule that another makes redundant";
    AllowCovered = "LSMP2003" Warning "an `allow` that `deny` rules cover";
    UnusedLet = "LSMP2004" Warning "a `let` that nothing uses";
    ConstantCondition = "LSMP2005" Warning "a condition that is always true or always false";
    QuietWithoutEffect = "LSMP2006" Warning "`@quiet` where it has no effect";
    PathAlone = "LSMP2007" Warning "a denial that looks at `path` alone";
    MissingId = "LSMP2008" Warning "a rule without `@id`";
    EmptySet = "LSMP2009" Warning "`in` with an empty set";
    RepeatedHook = "LSMP2010" Warning "a hook listed twice";
    RepeatedDefault = "LSMP2011" Warning "a default given twice";
    PathlessClass = "LSMP2012" Warning "brackets of a pathless file's name taken for a class";
    ChildrenOnly = "LSMP2013" Hint "`/*` matches direct children only";
    DeepSlash = "LSMP2014" Hint "`/**/` does not match a single `/`";
    MisleadingAnnotation = "LSMP2015" Warning "an annotation that seems to belong to the rule before it";
    LocksOut = "LSMP2016" Warning "a policy that `lsmpc` could not change again";
    NotDecided = "LSMP2019" Hint "an analysis that was not finished";
    AssertFails = "LSMP2020" Error "an `assert` that does not hold";
    FailingTest = "LSMP2021" Error "a failing `test`";

    ImageTooLarge = "LSMP3001" Error "the tables are too large";
    TooManyClasses = "LSMP3002" Error "conditions that combine in too many ways";
    GlobTooCostly = "LSMP3003" Error "a glob that is too costly";
    PolicyTooLarge = "LSMP3005" Error "too much policy text";
    ConditionTooLarge = "LSMP3006" Error "a condition that is too large";
    TooMuchSticks = "LSMP3007" Error "too much that sticks to tasks";

    Internal = "LSMP9001" Error "internal error";
}

// Reserved: 3004 too many rules.

impl Code {
    /// The code that is spelled so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str().eq_ignore_ascii_case(name))
    }
}

impl From<SyntaxCode> for Code {
    fn from(code: SyntaxCode) -> Self {
        // A test holds that every code of the syntax crate is in the list.
        Self::from_name(code.as_str()).unwrap_or(Self::Internal)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;
    use lsmpc_syntax::SyntaxCode;

    #[test]
    fn syntax_codes_are_all_here() {
        for &syntax in SyntaxCode::ALL {
            let code = Code::from(syntax);
            assert_eq!(code.as_str(), syntax.as_str());
            assert_eq!(code.title(), syntax.title());
        }
    }

    #[test]
    fn in_order_and_unique() {
        assert!(Code::ALL.is_sorted_by(|a, b| a.as_str() < b.as_str()));
    }

    #[test]
    fn pages_begin_with_their_title() {
        for &code in Code::ALL {
            let first = code.explain().lines().next().unwrap_or_default();
            assert_eq!(first, format!("# {}: {}", code.as_str(), code.title()));
        }
    }
}
