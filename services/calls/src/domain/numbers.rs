//! Enums of the contract in a stored state: as their numbers, which never change, unlike names.

use serde::{Deserialize, Deserializer, Serializer, de};

pub(super) fn serialize<T: Copy + Into<i32>, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_i32((*value).into())
}

pub(super) fn deserialize<'de, T: TryFrom<i32>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let number = i32::deserialize(deserializer)?;
    T::try_from(number).map_err(|_| de::Error::custom(format_args!("{number} is not known to this release")))
}
