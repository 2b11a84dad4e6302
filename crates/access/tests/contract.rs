//! The contract: what the options of the suite say, and every option that does not load.

use std::fs;
use std::path::Path;

use shouwen_access::contract::{Backend, ContractError, Defect, RequestField};
use shouwen_access::{Contract, wire};
use shouwen_proto::access::v1::{CaseRule, Role};

fn contract() -> Contract {
    Contract::load(shouwen_proto::DESCRIPTORS).unwrap()
}

fn text(name: &str, number: u32) -> RequestField {
    RequestField { name: name.into(), wire: wire::Field::text(number) }
}

#[test]
fn every_method_of_the_suite_has_a_sound_option() {
    let contract = contract();
    let methods = contract.methods();
    assert!(methods.len() >= 30);
    for method in methods {
        assert!(method.access.public || !method.access.roles.is_empty(), "{}", method.path);
        let repeatable = method.access.mutation && !method.client_streaming;
        assert_eq!(repeatable, method.request_id.is_some(), "{}", method.path);
        assert_eq!(contract.method(&method.path).unwrap().path, method.path);
    }
    assert!(contract.method("/shouwen.calls.v1.CallService/Forget").is_none());
}

#[test]
fn o1_a_first_touch_names_its_four_fields() {
    let channel = RequestField { name: "channel".into(), wire: wire::Field::enumeration(4) };
    let contract = contract();
    let method = contract.method("/shouwen.calls.v1.CallService/AnswerCall").unwrap();
    let touch = method.access.first_touch.clone().unwrap();
    assert_eq!(
        [touch.contact, touch.topic, touch.client, touch.channel],
        [text("name", 1), text("topic", 2), text("client", 3), channel]
    );
    assert_eq!(method.request_id, Some(text("request_id", 5)));
    assert!(method.is_unary() && method.access.case.is_none());
}

#[test]
fn o7_a_case_rule_says_whether_an_override_stands_in() {
    let contract = contract();
    let offer = contract.method("/shouwen.ownership.v1.CaseService/OfferTransfer").unwrap();
    let condition = offer.access.case.as_ref().unwrap();
    assert_eq!((condition.rule, condition.override_allowed), (CaseRule::Responsible, true));
    assert!(offer.access.roles.contains(Role::Staff) && !offer.access.roles.contains(Role::Auditor));
    assert_eq!(offer.access.rules, ["O3", "O4", "O7"]);
}

#[test]
fn the_package_says_who_serves_a_method_or_the_request_does() {
    let contract = contract();
    let backend = |path| contract.backend_of(path).unwrap().clone();
    let by = |name: &str| Backend::Service(name.into());
    assert_eq!(backend("/shouwen.calls.v1.CallService/EndCall"), by("calls"));
    assert_eq!(backend("/shouwen.callbacks.v1.CallbackService/LeaseCallback"), by("callbacks"));
    assert_eq!(backend("/shouwen.ownership.v1.CaseService/Claim"), by("ownership"));
    assert_eq!(backend("/shouwen.policy.v1.PolicyService/ProposePolicy"), by("ownership"));
    assert_eq!(backend("/shouwen.events.v1.EventFeed/Watch"), Backend::Named(text("service", 1)));
    assert_eq!(backend("/shouwen.operator.v1.OperatorService/GetStatus"), Backend::Named(text("service", 1)));
    assert_eq!(contract.backend_of("/x/y"), None);
}

#[test]
fn streams_are_told_from_unary_calls() {
    let contract = contract();
    let watch = contract.method("/shouwen.events.v1.EventFeed/Watch").unwrap();
    assert!(watch.server_streaming && !watch.client_streaming && !watch.is_unary());
}

#[test]
fn a_summary_is_the_first_sentence_of_the_comment() {
    let contract = contract();
    let method = contract.method("/shouwen.callbacks.v1.CallbackService/ReleaseCallback").unwrap();
    assert_eq!(method.summary, "Gives a lease back.");
    // A sentence alone, and the errors behind it left out.
    let method = contract.method("/shouwen.ownership.v1.RosterService/GetEmployee").unwrap();
    assert_eq!(method.summary, "Reads an employee.");
}

/// The contract of one service with the given RPC and request fields.
fn load(rpc: &str) -> Result<Contract, ContractError> {
    let proto = format!(
        "syntax = \"proto3\";
         package shouwen.test.v1;
         import \"shouwen/access/v1/access.proto\";
         import \"shouwen/type/v1/type.proto\";
         message In {{
           string name = 1;
           int32 number = 2;
           repeated string names = 3;
           oneof choice {{ string one = 4; string other = 5; }}
           optional string maybe = 6;
           shouwen.type.v1.Channel channel = 7;
           shouwen.type.v1.Satisfaction satisfaction = 8;
         }}
         message Change {{ string request_id = 1; string name = 2; shouwen.type.v1.Channel channel = 3; }}
         message Numbered {{ int64 request_id = 1; }}
         service Test {{ {rpc} }}"
    );
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("test.proto"), proto).unwrap();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([dir.path(), &suite]).unwrap();
    compiler.include_imports(true).open_file("test.proto").unwrap();
    Contract::load(&compiler.encode_file_descriptor_set())
}

fn option(request: &str, option: &str) -> Result<Contract, ContractError> {
    load(&format!("rpc Do({request}) returns (In) {{ option (shouwen.access.v1.access) = {{ {option} }}; }}"))
}

fn defect(result: Result<Contract, ContractError>) -> Defect {
    match result.unwrap_err() {
        ContractError::Unsound { method, defect } => {
            assert_eq!(method, "/shouwen.test.v1.Test/Do");
            defect
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_method_without_the_option_does_not_load_and_is_named() {
    let error = load("rpc Do(In) returns (In);").unwrap_err();
    assert_eq!(error.to_string(), "/shouwen.test.v1.Test/Do: the method has no access option");
}

#[test]
fn a_method_that_nobody_may_call_does_not_load() {
    assert_eq!(defect(option("In", "")), Defect::NoRoles);
    assert_eq!(defect(option("In", "roles: [ROLE_UNSPECIFIED]")), Defect::UnknownValue("roles"));
}

#[test]
fn a_public_method_has_no_conditions() {
    assert!(option("In", "public: true").is_ok());
    for conditions in [
        "public: true roles: [ROLE_HQ]",
        "public: true internal: true",
        "public: true case_rule: CASE_RULE_BRANCH case_field: \"name\"",
        "public: true branch_scope: BRANCH_SCOPE_OWN branch_field: \"name\"",
    ] {
        assert_eq!(defect(option("In", conditions)), Defect::PublicRestricted, "{conditions}");
    }
    assert_eq!(defect(option("Change", "public: true mutation: true")), Defect::PublicRestricted);
}

#[test]
fn a_named_field_exists_in_the_request_and_is_a_single_string() {
    let named = |field: &str| {
        option("In", &format!("roles: [ROLE_HQ] case_rule: CASE_RULE_BRANCH case_field: \"{field}\""))
    };
    assert!(named("name").is_ok() && named("maybe").is_ok());
    let missing = Defect::FieldMissing { option: "case_field", field: "case".into() };
    assert_eq!(defect(named("case")), missing);
    for field in ["number", "names", "one", "channel"] {
        let wrong = Defect::FieldType { option: "case_field", field: field.into(), expected: "string" };
        assert_eq!(defect(named(field)), wrong);
    }
    let branch = "roles: [ROLE_HQ] branch_scope: BRANCH_SCOPE_OWN branch_field: \"number\"";
    assert!(matches!(defect(option("In", branch)), Defect::FieldType { option: "branch_field", .. }));
    let service = "roles: [ROLE_HQ] service_field: \"nowhere\"";
    assert!(matches!(defect(option("In", service)), Defect::FieldMissing { option: "service_field", .. }));
}

#[test]
fn rules_and_their_fields_come_in_pairs() {
    for (half, pair) in [
        ("case_rule: CASE_RULE_BRANCH", ("case_rule", "case_field")),
        ("case_field: \"name\"", ("case_rule", "case_field")),
        ("branch_scope: BRANCH_SCOPE_OWN", ("branch_scope", "branch_field")),
        ("branch_field: \"name\"", ("branch_scope", "branch_field")),
    ] {
        let found = defect(option("In", &format!("roles: [ROLE_HQ] {half}")));
        assert_eq!(found, Defect::Unpaired(pair.0, pair.1), "{half}");
    }
}

#[test]
fn o7_an_override_needs_a_responsibility_to_stand_in_for() {
    let reading = "roles: [ROLE_HQ] case_rule: CASE_RULE_BRANCH case_field: \"name\" override_allowed: true";
    assert_eq!(defect(option("In", reading)), Defect::OverrideWithoutResponsibility);
    assert_eq!(
        defect(option("In", "roles: [ROLE_HQ] override_allowed: true")),
        Defect::OverrideWithoutResponsibility
    );
}

#[test]
fn o1_a_first_touch_with_a_bad_field_does_not_load() {
    let touch = |contact: &str, channel: &str| {
        option(
            "Change",
            &format!(
                "roles: [ROLE_STAFF] mutation: true first_touch: {{contact_field: \"{contact}\" \
                 topic_field: \"name\" client_field: \"name\" channel_field: \"{channel}\"}}"
            ),
        )
    };
    assert!(touch("name", "channel").is_ok());
    assert!(matches!(defect(touch("nowhere", "channel")), Defect::FieldMissing { .. }));
    assert!(matches!(defect(touch("name", "name")), Defect::FieldType { .. }));
    let reading = "roles: [ROLE_STAFF] first_touch: {contact_field: \"name\"}";
    assert_eq!(defect(option("In", reading)), Defect::FirstTouchMisplaced);
    let on_a_case = "roles: [ROLE_STAFF] mutation: true case_rule: CASE_RULE_BRANCH case_field: \"name\"
                     first_touch: {contact_field: \"name\"}";
    assert_eq!(defect(option("Change", on_a_case)), Defect::FirstTouchMisplaced);
}

#[test]
fn a_mutation_has_a_request_id_and_who_has_one_is_a_mutation() {
    let unary = option("Change", "roles: [ROLE_HQ] mutation: true").unwrap();
    assert!(unary.methods()[0].request_id.is_some());
    // A stream is not repeated by the edge: its request id is the service's affair.
    let stream = option("stream Change", "roles: [ROLE_HQ] mutation: true").unwrap();
    assert!(stream.methods()[0].request_id.is_none());
    for request in ["In", "Numbered"] {
        let found = defect(option(request, "roles: [ROLE_HQ] mutation: true"));
        assert_eq!(found, Defect::MutationWithoutRequestId, "{request}");
    }
    assert_eq!(defect(option("Change", "roles: [ROLE_HQ]")), Defect::RequestIdWithoutMutation);
}

#[test]
fn k11_p3_what_the_service_decides_leaves_a_record() {
    for condition in ["verified_identity", "two_persons"] {
        let option =
            |mutation| option("Change", &format!("roles: [ROLE_HQ] mutation: {mutation} {condition}: true"));
        assert!(option(true).is_ok());
        assert_eq!(defect(option(false)), Defect::ConditionWithoutRecord);
    }
}

#[test]
fn conditions_on_a_stream_are_those_of_its_first_message() {
    let condition = "roles: [ROLE_HQ] case_rule: CASE_RULE_BRANCH case_field: \"name\"";
    let contract = option("stream In", condition).unwrap();
    let method = contract.methods()[0];
    assert!(method.client_streaming && method.access.case.is_some());
}

#[test]
fn what_is_no_descriptor_set_does_not_load() {
    assert!(matches!(Contract::load(b"\xff\xff"), Err(ContractError::Descriptors(_))));
    assert!(matches!(Contract::load(b""), Err(ContractError::OptionUndefined)));
}
