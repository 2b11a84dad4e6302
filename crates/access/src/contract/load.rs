//! From descriptors to the contract, with every check that can be made before the first call.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use shouwen_proto::access::v1 as proto;

use super::{
    Access, Backend, CaseCondition, Contract, ContractError, Defect, FirstTouch, Method, RequestField,
};
use crate::identity::Roles;
use crate::wire;

const OPTION: &str = "shouwen.access.v1.access";
const CHANNEL: &str = "shouwen.type.v1.Channel";

/// Packages that ownership, in the gateway's process, serves beside its own.
const SERVED_BY_OWNERSHIP: [&str; 2] = ["policy", "routing"];

pub(super) fn load(descriptors: &[u8]) -> Result<Contract, ContractError> {
    let pool = DescriptorPool::decode(descriptors).map_err(ContractError::Descriptors)?;
    let option = pool.get_extension_by_name(OPTION).ok_or(ContractError::OptionUndefined)?;
    let mut methods = HashMap::new();
    for service in pool.services().filter(|service| service.package_name().starts_with("shouwen.")) {
        for descriptor in service.methods() {
            let path = format!("/{}/{}", service.full_name(), descriptor.name());
            let method = method(&path, &descriptor, &option, methods.len())?;
            methods.insert(path, method);
        }
    }
    Ok(Contract { methods })
}

fn method(
    path: &str,
    descriptor: &MethodDescriptor,
    option: &ExtensionDescriptor,
    order: usize,
) -> Result<Method, ContractError> {
    let unsound = |defect| ContractError::Unsound { method: path.to_owned(), defect };
    let options = descriptor.options();
    if !options.has_extension(option) {
        return Err(unsound(Defect::Missing));
    }
    let encoded =
        options.get_extension(option).as_message().map(prost_reflect::DynamicMessage::encode_to_vec);
    let written = proto::Access::decode(encoded.unwrap_or_default().as_slice())
        .map_err(|source| ContractError::OptionUnreadable { method: path.to_owned(), source })?;

    let service = descriptor.parent_service();
    let request = Request {
        message: descriptor.input(),
        unary: !descriptor.is_client_streaming() && !descriptor.is_server_streaming(),
    };
    let access = request.access(&written).map_err(unsound)?;
    let request_id = request.request_id(&access).map_err(unsound)?;
    let backend = request.backend(&written, service.package_name()).map_err(unsound)?;
    Ok(Method {
        path: path.to_owned(),
        uri: path.parse().map_err(|_| unsound(Defect::NoPath))?,
        package: service.package_name().to_owned(),
        service: service.name().to_owned(),
        name: descriptor.name().to_owned(),
        client_streaming: descriptor.is_client_streaming(),
        server_streaming: descriptor.is_server_streaming(),
        access,
        request_id,
        backend,
        summary: summary(descriptor),
        order,
    })
}

/// The request of the method whose option is being checked.
struct Request {
    message: MessageDescriptor,
    unary: bool,
}

impl Request {
    fn access(&self, written: &proto::Access) -> Result<Access, Defect> {
        let roles = Roles::of_numbers(&written.roles).ok_or(Defect::UnknownValue("roles"))?;
        let access = Access {
            roles,
            case: self.case(written)?,
            first_touch: self.first_touch(written)?,
            branch: self.branch(written)?,
            rules: written.rules.clone(),
            mutation: written.mutation,
            internal: written.internal,
            public: written.public,
            verified_identity: written.verified_identity,
            two_persons: written.two_persons,
        };
        let conditions = access.case.is_some() || access.first_touch.is_some() || access.branch.is_some();
        if access.public && (conditions || access.mutation || access.internal || !roles.is_empty()) {
            return Err(Defect::PublicRestricted);
        }
        if (access.verified_identity || access.two_persons) && !access.mutation {
            return Err(Defect::ConditionWithoutRecord);
        }
        if !access.public && roles.is_empty() {
            return Err(Defect::NoRoles);
        }
        Ok(access)
    }

    fn case(&self, written: &proto::Access) -> Result<Option<CaseCondition>, Defect> {
        use proto::CaseRule::{Assisting, Responsible, Unspecified};

        let rule =
            proto::CaseRule::try_from(written.case_rule).map_err(|_| Defect::UnknownValue("case_rule"))?;
        if (rule == Unspecified) != written.case_field.is_empty() {
            return Err(Defect::Unpaired("case_rule", "case_field"));
        }
        if written.override_allowed && !matches!(rule, Responsible | Assisting) {
            return Err(Defect::OverrideWithoutResponsibility);
        }
        if rule == Unspecified {
            return Ok(None);
        }
        let field = self.text("case_field", &written.case_field)?;
        let (override_allowed, mutation) = (written.override_allowed, written.mutation);
        Ok(Some(CaseCondition { rule, field, override_allowed, mutation }))
    }

    fn first_touch(&self, written: &proto::Access) -> Result<Option<FirstTouch>, Defect> {
        let Some(touch) = &written.first_touch else { return Ok(None) };
        if !self.unary || !written.mutation || !written.case_field.is_empty() {
            return Err(Defect::FirstTouchMisplaced);
        }
        Ok(Some(FirstTouch {
            contact: self.text("first_touch.contact_field", &touch.contact_field)?,
            topic: self.text("first_touch.topic_field", &touch.topic_field)?,
            client: self.text("first_touch.client_field", &touch.client_field)?,
            channel: self.channel("first_touch.channel_field", &touch.channel_field)?,
        }))
    }

    fn branch(&self, written: &proto::Access) -> Result<Option<RequestField>, Defect> {
        let scope = proto::BranchScope::try_from(written.branch_scope)
            .map_err(|_| Defect::UnknownValue("branch_scope"))?;
        if (scope == proto::BranchScope::Unspecified) != written.branch_field.is_empty() {
            return Err(Defect::Unpaired("branch_scope", "branch_field"));
        }
        if written.branch_field.is_empty() {
            return Ok(None);
        }
        self.text("branch_field", &written.branch_field).map(Some)
    }

    fn request_id(&self, access: &Access) -> Result<Option<RequestField>, Defect> {
        match (access.mutation, self.text("request_id", "request_id")) {
            (true, Ok(field)) => Ok(Some(field).filter(|_| self.unary)),
            (true, Err(_)) => Err(Defect::MutationWithoutRequestId),
            (false, Ok(_)) => Err(Defect::RequestIdWithoutMutation),
            (false, Err(_)) => Ok(None),
        }
    }

    /// `shouwen.calls.v1` is served by `calls`, unless the request says by whom.
    fn backend(&self, written: &proto::Access, package: &str) -> Result<Backend, Defect> {
        if !written.service_field.is_empty() {
            return self.text("service_field", &written.service_field).map(Backend::Named);
        }
        let area = package.split('.').nth(1).unwrap_or_default();
        let service = if SERVED_BY_OWNERSHIP.contains(&area) { "ownership" } else { area };
        Ok(Backend::Service(service.to_owned()))
    }

    fn text(&self, option: &'static str, name: &str) -> Result<RequestField, Defect> {
        let field = self.singular(option, name, "string", |kind| matches!(kind, Kind::String))?;
        Ok(RequestField { name: name.to_owned(), wire: wire::Field::text(field.number()) })
    }

    fn channel(&self, option: &'static str, name: &str) -> Result<RequestField, Defect> {
        let is_channel = |kind: &Kind| kind.as_enum().is_some_and(|it| it.full_name() == CHANNEL);
        let field = self.singular(option, name, CHANNEL, is_channel)?;
        Ok(RequestField { name: name.to_owned(), wire: wire::Field::enumeration(field.number()) })
    }

    /// A member of a oneof is refused too: another member behind it on the wire would unset it.
    fn singular(
        &self,
        option: &'static str,
        name: &str,
        expected: &'static str,
        is_expected: impl Fn(&Kind) -> bool,
    ) -> Result<FieldDescriptor, Defect> {
        let field = self.message.get_field_by_name(name);
        let field = field.ok_or_else(|| Defect::FieldMissing { option, field: name.to_owned() })?;
        let alternative = field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic());
        if field.is_list() || alternative || !is_expected(&field.kind()) {
            return Err(Defect::FieldType { option, field: name.to_owned(), expected });
        }
        Ok(field)
    }
}

/// The first sentence of the method's comment, on one line.
fn summary(descriptor: &MethodDescriptor) -> String {
    let file = descriptor.parent_file();
    let comments = file.file_descriptor_proto().source_code_info.as_ref();
    let location =
        comments.and_then(|info| info.location.iter().find(|location| location.path == descriptor.path()));
    let comment = location.and_then(|location| location.leading_comments.as_deref()).unwrap_or_default();
    let paragraph =
        comment.split("\n\n").next().unwrap_or_default().split("\n \n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    // A paragraph of its own for errors is not what the method does.
    if line.starts_with("Errors:") {
        return String::new();
    }
    match line.find(". ") {
        Some(end) => line[..=end].to_owned(),
        None => line,
    }
}
