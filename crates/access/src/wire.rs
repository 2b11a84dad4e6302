//! Reads a few top-level fields of an encoded request without decoding it, and checks that the whole message is well formed at the
//! top level. The edge needs the names in a request, not the request.
//!
//! It is never more lenient than the decoder of the backend: what is read here is what the handler sees. Groups, which proto3
//! does not have, are refused, and so is a wanted field of another wire type.

use crate::status::Failure;

/// A field to read: its number and what it holds. The contract makes them from the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    number: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Text,
    Enum,
}

impl Field {
    /// A `string` field.
    pub const fn text(number: u32) -> Self {
        Self { number, kind: Kind::Text }
    }

    /// An enum field.
    pub const fn enumeration(number: u32) -> Self {
        Self { number, kind: Kind::Enum }
    }

    /// The field's number.
    pub const fn number(self) -> u32 {
        self.number
    }
}

/// What a field holds; borrowed from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Of a `string` field.
    Text(&'a str),
    /// Of an enum field.
    Enum(i32),
}

impl<'a> Value<'a> {
    /// The text; empty for an enum.
    pub const fn as_text(self) -> &'a str {
        match self {
            Self::Text(text) => text,
            Self::Enum(_) => "",
        }
    }

    /// The number; 0 for a text.
    pub const fn as_enum(self) -> i32 {
        match self {
            Self::Text(_) => 0,
            Self::Enum(number) => number,
        }
    }
}

/// The bytes are no protobuf message, or a wanted field is not of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed protobuf message")]
pub struct Malformed;

impl From<Malformed> for Failure {
    fn from(_: Malformed) -> Self {
        Self::message_malformed()
    }
}

/// The values of the wanted fields, in their order: the last occurrence of each, as protobuf demands; absent ones and `None`s
/// stay `None`. The whole message is checked, also behind the last wanted field.
pub fn fields<const N: usize>(
    message: &[u8],
    wanted: [Option<Field>; N],
) -> Result<[Option<Value<'_>>; N], Malformed> {
    let mut found = [None; N];
    let mut rest = message;
    while !rest.is_empty() {
        let key = u32::try_from(varint(&mut rest)?).map_err(|_| Malformed)?;
        let number = key >> 3;
        if number == 0 {
            return Err(Malformed);
        }
        let payload = match key & 7 {
            0 => Payload::Varint(varint(&mut rest)?),
            1 => Payload::Fixed(take(&mut rest, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).map_err(|_| Malformed)?;
                Payload::Bytes(take(&mut rest, length)?)
            }
            5 => Payload::Fixed(take(&mut rest, 4)?),
            _ => return Err(Malformed),
        };
        for (field, slot) in wanted.iter().zip(&mut found) {
            if let Some(field) = field.filter(|field| field.number == number) {
                *slot = Some(payload.read(field.kind)?);
            }
        }
    }
    Ok(found)
}

enum Payload<'a> {
    Varint(u64),
    Fixed(#[allow(dead_code, reason = "no wanted field is of a fixed type")] &'a [u8]),
    Bytes(&'a [u8]),
}

impl<'a> Payload<'a> {
    fn read(&self, kind: Kind) -> Result<Value<'a>, Malformed> {
        match (kind, self) {
            (Kind::Text, Self::Bytes(bytes)) => {
                std::str::from_utf8(bytes).map(Value::Text).map_err(|_| Malformed)
            }
            // An enum on the wire is an int32: the upper bits are cut off, as every decoder does.
            #[allow(clippy::cast_possible_truncation, reason = "protobuf's own rule for int32")]
            (Kind::Enum, Self::Varint(number)) => Ok(Value::Enum(*number as i32)),
            _ => Err(Malformed),
        }
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (taken, behind) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = behind;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0_u64;
    for (index, byte) in rest.iter().enumerate().take(10) {
        // The tenth byte holds the last bit.
        if index == 9 && *byte > 1 {
            return Err(Malformed);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            *rest = rest.get(index + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;
    use shouwen_proto::calls::v1::{AnswerCallRequest, RegisterCallRequest};

    use super::*;

    const NAME: Option<Field> = Some(Field::text(1));
    const CHANNEL: Option<Field> = Some(Field::enumeration(4));
    const REQUEST_ID: Option<Field> = Some(Field::text(5));

    proptest! {
        #[test]
        fn what_is_read_is_what_was_encoded(name: String, topic: String, client: String, channel: i32, request_id: String) {
            let request = AnswerCallRequest { name, topic, client, channel, request_id };
            let encoded = request.encode_to_vec();
            let [name, channel, request_id, none] = fields(&encoded, [NAME, CHANNEL, REQUEST_ID, None]).unwrap();
            prop_assert_eq!(name.map_or("", Value::as_text), &request.name);
            prop_assert_eq!(channel.map_or(0, Value::as_enum), request.channel);
            prop_assert_eq!(request_id.map_or("", Value::as_text), &request.request_id);
            prop_assert!(none.is_none());
        }

        #[test]
        fn fields_of_every_type_are_passed_over(parent: String, caller: String, seconds: i64, nanos: i32, request_id: String) {
            let occur_time = Some(prost_types::Timestamp { seconds, nanos });
            let request = RegisterCallRequest { parent, caller, occur_time, request_id, ..Default::default() };
            let encoded = request.encode_to_vec();
            let [parent, request_id] = fields(&encoded, [Some(Field::text(1)), Some(Field::text(11))]).unwrap();
            prop_assert_eq!(parent.map_or("", Value::as_text), &request.parent);
            prop_assert_eq!(request_id.map_or("", Value::as_text), &request.request_id);
        }

        #[test]
        fn the_last_occurrence_wins(first: String, last in ".+") {
            let mut encoded = AnswerCallRequest { name: first, ..Default::default() }.encode_to_vec();
            encoded.extend(AnswerCallRequest { name: last.clone(), ..Default::default() }.encode_to_vec());
            prop_assert_eq!(fields(&encoded, [NAME]).unwrap()[0], Some(Value::Text(&last)));
            prop_assert_eq!(AnswerCallRequest::decode(&*encoded).unwrap().name, last);
        }

        #[test]
        fn random_bytes_never_panic_and_what_is_accepted_agrees_with_the_decoder(bytes in random_messages()) {
            if let (Ok([name, channel]), Ok(decoded)) = (fields(&bytes, [NAME, CHANNEL]), AnswerCallRequest::decode(&*bytes)) {
                prop_assert_eq!(name.map_or("", Value::as_text), &decoded.name);
                prop_assert_eq!(channel.map_or(0, Value::as_enum), decoded.channel);
            }
        }

        #[test]
        fn a_message_cut_short_is_malformed_or_agrees_with_the_decoder(name in ".+", request_id in ".+", cut in 0_usize..400) {
            let mut encoded = AnswerCallRequest { name, request_id, channel: 1, ..Default::default() }.encode_to_vec();
            encoded.truncate(cut);
            prop_assert_eq!(fields(&encoded, [NAME]).is_ok(), AnswerCallRequest::decode(&*encoded).is_ok());
        }
    }

    /// Half of them arbitrary bytes, half of them rows of fields with low numbers and any wire type.
    fn random_messages() -> impl Strategy<Value = Vec<u8>> {
        let field = (1_u8..8, 0_u8..8, prop::collection::vec(any::<u8>(), 0..12)).prop_map(
            |(number, kind, mut payload)| {
                let length = u8::try_from(payload.len()).unwrap();
                let mut bytes = vec![number << 3 | kind];
                bytes.extend((kind == 2).then_some(length));
                bytes.append(&mut payload);
                bytes
            },
        );
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..64),
            prop::collection::vec(field, 0..6).prop_map(|fields| fields.concat()),
        ]
    }

    #[test]
    fn what_is_not_a_message_is_malformed() {
        let cases: [(&str, &[u8]); 10] = [
            ("key without value", &[0x08]),
            ("length beyond the end", &[0x0a, 0x05, b'a']),
            ("field number 0", &[0x02, 0x00]),
            ("group", &[0x0b, 0x0c]),
            ("wire type 6", &[0x0e, 0x00]),
            ("wire type 7", &[0x0f, 0x00]),
            ("varint of eleven bytes", &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            ("varint beyond 64 bits", &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
            ("short fixed64", &[0x09, 1, 2, 3]),
            ("short fixed32", &[0x0d, 1, 2, 3]),
        ];
        for (what, bytes) in cases {
            assert_eq!(fields(bytes, [None]), Err(Malformed), "{what}");
        }
        assert_eq!(Failure::from(Malformed).reason(), "MESSAGE_MALFORMED");
    }

    #[test]
    fn a_wanted_field_of_another_type_or_not_utf8_is_malformed() {
        assert_eq!(fields(&[0x08, 0x01], [NAME]), Err(Malformed));
        assert_eq!(fields(&[0x22, 0x01, b'1'], [CHANNEL]), Err(Malformed));
        assert_eq!(fields(&[0x0a, 0x01, 0xff], [NAME]), Err(Malformed));
        assert_eq!(fields(&[0x12, 0x01, 0xff], [NAME]), Ok([None]));
    }

    #[test]
    fn an_empty_message_has_no_values() {
        assert_eq!(fields(&[], [NAME, CHANNEL]), Ok([None, None]));
    }
}
