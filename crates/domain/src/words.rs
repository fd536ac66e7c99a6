//! Closed vocabularies: enums whose variants are words in API, database and pages.

/// Makes an enum with its words: `word()`, `ALL`, `Display`, `FromStr`, serde.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $wrong:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All of them, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            /// The word used in API and database.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        #[doc = concat!("The word is not ", $what, ".")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $wrong;

        impl std::fmt::Display for $wrong {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!($what, " is one of"))?;
                for (index, one) in $name::ALL.iter().enumerate() {
                    write!(f, "{} {}", if index == 0 { "" } else { "," }, one.word())?;
                }
                Ok(())
            }
        }

        impl std::error::Error for $wrong {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.word()) }
        }

        impl std::str::FromStr for $name {
            type Err = $wrong;
            fn from_str(text: &str) -> Result<Self, $wrong> {
                Self::ALL.iter().copied().find(|one| one.word() == text).ok_or($wrong)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.word()) }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(d)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use words;
