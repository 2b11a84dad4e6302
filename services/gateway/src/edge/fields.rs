//! The few fields of a request that the options of its method name, read off the wire.

use shouwen_access::contract::{Backend, Method};
use shouwen_access::{Failure, wire};
use uuid::Uuid;

/// Empty where the method has no such field or the request leaves it out.
pub(super) struct Fields<'a> {
    pub(super) case: &'a str,
    pub(super) branch: &'a str,
    pub(super) service: &'a str,
    pub(super) request_id: &'a str,
    pub(super) contact: &'a str,
    pub(super) topic: &'a str,
    pub(super) client: &'a str,
    pub(super) channel: i32,
}

impl<'a> Fields<'a> {
    /// `MESSAGE_MALFORMED` for what is no message, `REQUEST_ID_REQUIRED` and `FIELD_INVALID` for a unary mutation without a UUID.
    pub(super) fn read(method: &Method, message: &'a [u8]) -> Result<Self, Failure> {
        let access = &method.access;
        let touch = access.first_touch.as_ref();
        let service = match &method.backend {
            Backend::Named(field) => Some(field.wire),
            Backend::Service(_) => None,
        };
        let found = wire::fields(
            message,
            [
                access.case.as_ref().map(|condition| condition.field.wire),
                access.branch.as_ref().map(|field| field.wire),
                service,
                method.request_id.as_ref().map(|field| field.wire),
                touch.map(|touch| touch.contact.wire),
                touch.map(|touch| touch.topic.wire),
                touch.map(|touch| touch.client.wire),
                touch.map(|touch| touch.channel.wire),
            ],
        )?;
        let text = |index: usize| found[index].map_or("", wire::Value::as_text);
        let fields = Self {
            case: text(0),
            branch: text(1),
            service: text(2),
            request_id: text(3),
            contact: text(4),
            topic: text(5),
            client: text(6),
            channel: found[7].map_or(0, wire::Value::as_enum),
        };
        if method.request_id.is_some() {
            fields.check_request_id()?;
        }
        Ok(fields)
    }

    fn check_request_id(&self) -> Result<(), Failure> {
        if self.request_id.is_empty() {
            return Err(Failure::request_id_required());
        }
        match Uuid::try_parse(self.request_id) {
            Ok(_) => Ok(()),
            Err(_) => Err(Failure::field_invalid("request_id", "must be a UUID", "必须是 UUID")),
        }
    }
}
