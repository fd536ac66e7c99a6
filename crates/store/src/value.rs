//! Bind values and rows: three kinds of column are all that portable SQL needs.

use std::{fmt::Display, str::FromStr};

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use stoa_domain::{
    ids::Id,
    time::{Day, Ts},
};
use uuid::Uuid;

use crate::error::{Result, StoreError};

/// A value of a column: `BIGINT`, `TEXT` or `BYTEA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A `BIGINT`; also flags (0 and 1), instants (microseconds) and days.
    Int(i64),
    /// A `TEXT`; also exact decimals and JSON.
    Text(String),
    /// A `BYTEA`; also ids and hashes.
    Bytes(Vec<u8>),
}

/// The bind values of a statement, in the order of `$1`, `$2`, …
///
/// `params![organization, name, now]` is a `&[Value]`; whatever [`Value`] has a `From` for may stand in it.
#[macro_export]
macro_rules! params {
    () => { &[] as &[$crate::Value] };
    ($($value:expr),+ $(,)?) => { &[$($crate::Value::from($value)),+][..] };
}

/// One row of bind values for [`Tx::insert_many`](crate::Tx::insert_many).
#[macro_export]
macro_rules! values {
    ($($value:expr),* $(,)?) => { ::std::vec![$($crate::Value::from($value)),*] };
}

/// A pattern of `like … escape '!'` for texts that contain this one.
pub(crate) fn contains(text: &str) -> String {
    format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
}

macro_rules! from {
    ($($type:ty => |$v:ident| $value:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($v: $type) -> Self { $value }
        }
    )*};
}

from! {
    i64 => |v| Self::Int(v);
    i32 => |v| Self::Int(i64::from(v));
    u32 => |v| Self::Int(i64::from(v));
    u16 => |v| Self::Int(i64::from(v));
    u8 => |v| Self::Int(i64::from(v));
    // Counts and sizes; no machine holds so many bytes that the end of the range is met.
    u64 => |v| Self::Int(i64::try_from(v).unwrap_or(i64::MAX));
    usize => |v| Self::Int(i64::try_from(v).unwrap_or(i64::MAX));
    bool => |v| Self::Int(i64::from(v));
    &str => |v| Self::Text(v.to_owned());
    String => |v| Self::Text(v);
    &String => |v| Self::Text(v.clone());
    Vec<u8> => |v| Self::Bytes(v);
    &Vec<u8> => |v| Self::Bytes(v.clone());
    &[u8] => |v| Self::Bytes(v.to_vec());
    [u8; 16] => |v| Self::Bytes(v.to_vec());
    [u8; 32] => |v| Self::Bytes(v.to_vec());
    &[u8; 16] => |v| Self::Bytes(v.to_vec());
    &[u8; 32] => |v| Self::Bytes(v.to_vec());
    Uuid => |v| Self::Bytes(v.as_bytes().to_vec());
    Ts => |v| Self::Int(v.micros());
    Day => |v| Self::Int(v.number());
    Decimal => |v| Self::Text(v.to_string());
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value {
    /// How much memory it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Int(_) => 0,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
            }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Int(_) => "an integer",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
        }
    }
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// Reads a value; the error says what is wrong with it.
    fn from_value(value: &Value) -> std::result::Result<Self, String>;
}

fn wrong<T>(expected: &str, value: &Value) -> std::result::Result<T, String> {
    Err(format!("expected {expected}, found {}", value.kind()))
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Int(v) => Ok(*v),
            other => wrong("an integer", other),
        }
    }
}

macro_rules! narrow {
    ($($type:ty)*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> std::result::Result<Self, String> {
                let wide = i64::from_value(value)?;
                Self::try_from(wide).map_err(|_| format!("{wide} is out of range"))
            }
        }
    )*};
}

narrow!(i32 u8 u16 u32 u64 usize);

impl FromValue for bool {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match i64::from_value(value)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(format!("expected 0 or 1, found {other}")),
        }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Text(v) => Ok(v.clone()),
            other => wrong("a text", other),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Bytes(v) => Ok(v.clone()),
            other => wrong("bytes", other),
        }
    }
}

impl<const N: usize> FromValue for [u8; N] {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Bytes(v) => Self::try_from(v.as_slice()).map_err(|_| format!("expected {N} bytes, found {}", v.len())),
            other => wrong("bytes", other),
        }
    }
}

impl FromValue for Uuid {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        <[u8; 16]>::from_value(value).map(Self::from_bytes)
    }
}

impl FromValue for Ts {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        i64::from_value(value).map(Self::from_micros)
    }
}

impl FromValue for Day {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        i64::from_value(value).map(Self::from_number)
    }
}

impl FromValue for Decimal {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Text(v) => Self::from_str_exact(v).map_err(|e| format!("not an exact decimal: {e}")),
            other => wrong("a decimal as text", other),
        }
    }
}

impl FromValue for Value {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        Ok(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> std::result::Result<Self, String> {
        match value {
            Value::Null => Ok(None),
            other => T::from_value(other).map(Some),
        }
    }
}

// One line for each typed id: a blanket implementation for `T: Id` would overlap with those for foreign types.
macro_rules! ids {
    ($($id:ident)*) => {$(
        impl From<stoa_domain::ids::$id> for Value {
            fn from(id: stoa_domain::ids::$id) -> Self { Self::Bytes(id.bytes().to_vec()) }
        }
        impl From<&stoa_domain::ids::$id> for Value {
            fn from(id: &stoa_domain::ids::$id) -> Self { Self::Bytes(id.bytes().to_vec()) }
        }
        impl FromValue for stoa_domain::ids::$id {
            fn from_value(value: &Value) -> std::result::Result<Self, String> {
                Uuid::from_value(value).map(Self::from_uuid)
            }
        }
    )*};
}

ids! {
    UserId OrganizationId TeamId ProjectId ResourceId ApplicationId SecretId ServiceId ContractId PlanId SubscriptionId SuspensionId LevelChangeId LockId
    GrantId RequestId DelegationId ConsentId HandoverId EventId InvitationId TokenId MailId SessionId PasskeyId IdentityId
}

/// One row of a result; its columns are read by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    /// How many columns it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has no columns.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Reads the column at a position, counted from 0.
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T> {
        let value = self
            .values
            .get(column)
            .ok_or_else(|| StoreError::Corrupt { column, reason: format!("the row has {} columns", self.values.len()) })?;
        T::from_value(value).map_err(|reason| StoreError::Corrupt { column, reason })
    }

    /// Reads a column of text in place.
    fn text(&self, column: usize) -> Result<&str> {
        match self.values.get(column) {
            Some(Value::Text(text)) => Ok(text),
            Some(other) => Err(StoreError::Corrupt { column, reason: format!("expected a text, found {}", other.kind()) }),
            None => Err(StoreError::Corrupt { column, reason: format!("the row has {} columns", self.values.len()) }),
        }
    }

    /// Reads a word that stands for an enum, or any other text with a parser.
    pub fn parse<T: FromStr>(&self, column: usize) -> Result<T>
    where
        T::Err: Display,
    {
        self.text(column)?.parse().map_err(|e| StoreError::Corrupt { column, reason: format!("{e}") })
    }

    /// Like [`Row::parse`], for a column that may be empty.
    pub fn parse_optional<T: FromStr>(&self, column: usize) -> Result<Option<T>>
    where
        T::Err: Display,
    {
        match self.values.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.parse(column).map(Some),
        }
    }

    /// Reads a column of JSON text.
    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T> {
        serde_json::from_str(self.text(column)?).map_err(|e| StoreError::Corrupt { column, reason: format!("{e}") })
    }

    /// Like [`Row::json`], for a column that may be empty.
    pub fn json_optional<T: DeserializeOwned>(&self, column: usize) -> Result<Option<T>> {
        match self.values.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.json(column).map(Some),
        }
    }
}
