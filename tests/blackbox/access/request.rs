//! Requests made from the descriptors: with the fields that the option names and nothing else, or with every required field filled so that a service
//! takes it for a good one.

use std::collections::HashMap;

use chrono::TimeDelta;
use prost::{
    Message as _,
    encoding::{self, WireType, encode_key, encode_varint},
};
use shouwen_access::contract::Backend;
use shouwen_runtime::clock::now;

use super::Target;
use crate::harness::{client::timestamp, id};

/// `google.api.field_behavior = REQUIRED`
const REQUIRED: i32 = 2;

/// What descriptors say, as far as it is needed here, with the option that `prost_types` drops.
#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct File {
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    message_type: Vec<Description>,
    #[prost(message, repeated, tag = "6")]
    service: Vec<Service>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Description {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    field: Vec<Field>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "3")]
    number: u32,
    #[prost(enumeration = "prost_types::field_descriptor_proto::Type", tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    type_name: String,
    #[prost(message, optional, tag = "8")]
    options: Option<FieldOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct FieldOptions {
    #[prost(int32, repeated, tag = "1052")]
    behavior: Vec<i32>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    method: Vec<Method>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    input_type: String,
}

/// Makes requests.
pub(super) struct Requests {
    /// By full name with a leading dot.
    messages: HashMap<String, Description>,
    /// The request of each method, by its gRPC path.
    inputs: HashMap<String, String>,
}

impl Requests {
    pub(super) fn of(descriptors: &[u8]) -> Self {
        let (mut messages, mut inputs) = (HashMap::new(), HashMap::new());
        for file in FileSet::decode(descriptors).unwrap().file {
            for message in file.message_type {
                messages.insert(format!(".{}.{}", file.package, message.name), message);
            }
            for service in file.service {
                for method in service.method {
                    let path = format!("/{}.{}/{}", file.package, service.name, method.name);
                    inputs.insert(path, method.input_type);
                }
            }
        }
        Self { messages, inputs }
    }

    /// The fields that the gateway reads, and no others. `name` stands in the case field and in the branch field.
    pub(super) fn least(&self, target: &Target<'_>, name: Option<&str>) -> Vec<u8> {
        self.encoded(target, &given(target, name), false)
    }

    /// The same with every required field.
    pub(super) fn complete(&self, target: &Target<'_>, name: Option<&str>) -> Vec<u8> {
        self.encoded(target, &given(target, name), true)
    }

    /// With every required field, and this one.
    pub(super) fn about(&self, target: &Target<'_>, field: &str, value: &str) -> Vec<u8> {
        let description = &self.messages[&self.inputs[&target.method.path]];
        let number = description.field.iter().find(|known| known.name == field).unwrap().number;
        self.encoded(target, &[(number, value.to_owned())], true)
    }

    fn encoded(&self, target: &Target<'_>, given: &[(u32, String)], complete: bool) -> Vec<u8> {
        let description = &self.messages[&self.inputs[&target.method.path]];
        let mut buffer = Vec::new();
        for field in &description.field {
            if let Some((number, value)) = given.iter().find(|(number, _)| *number == field.number) {
                encoding::string::encode(*number, value, &mut buffer);
            } else if complete {
                self.fill(field, &mut buffer);
            }
        }
        buffer
    }

    /// Fills a field that is required, or that may as well be there.
    fn fill(&self, field: &Field, buffer: &mut Vec<u8>) {
        use prost_types::field_descriptor_proto::Type;

        let options = field.options.as_ref();
        let required = options.is_some_and(|options| options.behavior.contains(&REQUIRED));
        match field.kind() {
            Type::Bool => encoding::bool::encode(field.number, &true, buffer),
            // Of several fields that say who the client is, exactly one is given.
            Type::String if required || field.name == "client" => {
                encoding::string::encode(field.number, &text(&field.name), buffer);
            }
            Type::Enum if required => {
                encoding::int32::encode(field.number, &choice(&field.type_name), buffer);
            }
            Type::Int32 | Type::Int64 if required => encoding::int32::encode(field.number, &1, buffer),
            Type::Message if required => {
                let content = self.content(field);
                encode_key(field.number, WireType::LengthDelimited, buffer);
                encode_varint(content.len() as u64, buffer);
                buffer.extend(content);
            }
            _ => {}
        }
    }

    fn content(&self, field: &Field) -> Vec<u8> {
        if field.type_name == ".google.protobuf.Timestamp" {
            let ahead = ["agreed_time", "not_before", "effective_time"].contains(&&*field.name);
            let time = now() + if ahead { TimeDelta::hours(1) } else { TimeDelta::zero() };
            return timestamp(time).unwrap().encode_to_vec();
        }
        let mut content = Vec::new();
        for field in self.messages.get(&field.type_name).map_or(&[][..], |it| &it.field) {
            self.fill(field, &mut content);
        }
        content
    }
}

/// The fields that the options name, by their numbers.
fn given(target: &Target<'_>, name: Option<&str>) -> Vec<(u32, String)> {
    let access = &target.method.access;
    let mut given = Vec::new();
    if let Some(condition) = &access.case {
        let name = name.unwrap_or("cases/0198f0aa-0000-7000-8000-000000000000");
        given.push((condition.field.wire.number(), name.to_owned()));
    }
    if let Some(field) = &access.branch {
        given.push((field.wire.number(), name.unwrap_or("branches/east").to_owned()));
    }
    if let Some(touch) = &access.first_touch {
        given.push((touch.contact.wire.number(), "calls/nobody-rang".to_owned()));
    }
    if let Backend::Named(field) = &target.method.backend {
        given.push((field.wire.number(), target.service.to_owned()));
    }
    if let Some(field) = &target.method.request_id {
        given.push((field.wire.number(), id()));
    }
    given
}

/// A text that a field of this name takes.
fn text(field: &str) -> String {
    match field {
        "phone" | "callback_number" => "13800138000",
        "gender" => "male",
        "category" => "service-attitude",
        "client" => "C-filled",
        "to" | "employee" | "responsible" => "employees/wang",
        "etag" => "\"1\"",
        "request_id" | "offer" | "verification" => return id(),
        _ => "核对",
    }
    .to_owned()
}

/// A value of an enum: the first that says something, where that is possible without more.
fn choice(type_name: &str) -> i32 {
    match type_name.rsplit('.').next().unwrap_or_default() {
        // A finding that asks for no measures; an end that a lead may set.
        "Finding" | "ComplaintEnd" => 3,
        "CloseKind" => 2,
        _ => 1,
    }
}
