//! Trees from what stands for them in the program.

use serde_json::Number;
use smol_str::SmolStr;

use super::Value;

/// What stands for a JSON value.
pub(crate) trait ToJson {
    fn to_json(&self) -> Value;
}

impl<T: ToJson + ?Sized> From<&T> for Value {
    fn from(of: &T) -> Self {
        of.to_json()
    }
}

impl ToJson for Value {
    fn to_json(&self) -> Value {
        self.clone()
    }
}

impl ToJson for str {
    fn to_json(&self) -> Value {
        Value::String(self.into())
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
}

impl<T: ToJson> ToJson for [T] {
    fn to_json(&self) -> Value {
        self.iter().map(T::to_json).collect()
    }
}

impl<T: ToJson, const N: usize> ToJson for [T; N] {
    fn to_json(&self) -> Value {
        self[..].to_json()
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        self[..].to_json()
    }
}

macro_rules! plain {
    ($($of:ty: $make:expr;)*) => {$(
        impl From<$of> for Value {
            fn from(of: $of) -> Self {
                $make(of)
            }
        }

        impl ToJson for $of {
            fn to_json(&self) -> Value {
                self.clone().into()
            }
        }

        impl PartialEq<$of> for Value {
            fn eq(&self, other: &$of) -> bool {
                *self == other.to_json()
            }
        }
    )*};
}

plain! {
    bool: Value::Bool;
    i32: |n| Value::Number(Number::from(n));
    i64: |n| Value::Number(Number::from(n));
    u16: |n| Value::Number(Number::from(n));
    u32: |n| Value::Number(Number::from(n));
    u64: |n| Value::Number(Number::from(n));
    usize: |n| Value::Number(Number::from(n));
    String: |text| Value::String(SmolStr::from(text));
}

/// A tree, written as JSON with expressions in the place of values.
macro_rules! json {
    (@array [$($done:expr),*]) => {
        $crate::cluster::json::Value::from(Vec::<$crate::cluster::json::Value>::from([$($done),*]))
    };
    (@array [$($done:expr),*] { $($new:tt)* } $(, $($rest:tt)*)?) => {
        json!(@array [$($done,)* json!({ $($new)* })] $($($rest)*)?)
    };
    (@array [$($done:expr),*] [ $($new:tt)* ] $(, $($rest:tt)*)?) => {
        json!(@array [$($done,)* json!([ $($new)* ])] $($($rest)*)?)
    };
    (@array [$($done:expr),*] $new:expr $(, $($rest:tt)*)?) => {
        json!(@array [$($done,)* json!($new)] $($($rest)*)?)
    };
    (@object $members:ident) => {};
    (@object $members:ident $name:tt : { $($new:tt)* } $(, $($rest:tt)*)?) => {
        $members.insert($name, json!({ $($new)* }));
        json!(@object $members $($($rest)*)?);
    };
    (@object $members:ident $name:tt : [ $($new:tt)* ] $(, $($rest:tt)*)?) => {
        $members.insert($name, json!([ $($new)* ]));
        json!(@object $members $($($rest)*)?);
    };
    (@object $members:ident $name:tt : null $(, $($rest:tt)*)?) => {
        $members.insert($name, $crate::cluster::json::Value::Null);
        json!(@object $members $($($rest)*)?);
    };
    (@object $members:ident $name:tt : $new:expr $(, $($rest:tt)*)?) => {
        $members.insert($name, json!($new));
        json!(@object $members $($($rest)*)?);
    };
    ({}) => {
        $crate::cluster::json::Value::from($crate::cluster::json::Map::default())
    };
    ({ $($members:tt)+ }) => {{
        let mut members = $crate::cluster::json::Map::default();
        json!(@object members $($members)+);
        $crate::cluster::json::Value::from(members)
    }};
    ([ $($elements:tt)* ]) => {
        json!(@array [] $($elements)*)
    };
    ($value:expr) => {
        $crate::cluster::json::ToJson::to_json(&$value)
    };
}

pub(crate) use json;
