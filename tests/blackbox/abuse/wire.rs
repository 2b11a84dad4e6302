//! Bytes that are no good request: at the edge, and no less at a backend.

use bytes::Bytes;
use prost::Message as _;
use shouwen_proto::{calls::v1::GetCallRequest, ownership::v1::ListCasesRequest};
use tonic::Code;

use super::meets;
use crate::harness::{Shared, raw, refused, requests::register};

const REGISTER: &str = "/shouwen.calls.v1.CallService/RegisterCall";
const GET_CALL: &str = "/shouwen.calls.v1.CallService/GetCall";
const LIST_CASES: &str = "/shouwen.ownership.v1.CaseService/ListCases";

#[tokio::test]
async fn a_message_that_is_not_well_formed_is_refused_wherever_it_is_read() {
    let suite = Shared::suite().await;
    let (li, telephony) = (suite.employee("li"), suite.account("telephony"));
    let cut = |mut message: Vec<u8>| {
        message.truncate(message.len() - 3);
        Bytes::from(message)
    };
    let garbage = Bytes::from_static(&[0xff; 12]);
    let group = Bytes::from_static(&[0x0b, 0x0b]);
    let list = ListCasesRequest { parent: "branches/east".to_owned(), ..Default::default() };
    let get = GetCallRequest { name: "calls/wire".to_owned() };
    let refusals = [
        ("garbage that the edge looks into", raw::call(&li, LIST_CASES, garbage.clone(), None).await),
        ("cut short", raw::call(&li, LIST_CASES, cut(list.encode_to_vec()), None).await),
        ("garbage that the backend alone reads", raw::call(&li, GET_CALL, garbage, None).await),
        ("cut short for the backend", raw::call(&li, GET_CALL, cut(get.encode_to_vec()), None).await),
        ("an open group", raw::call(&telephony, REGISTER, group, None).await),
    ];
    for (what, answer) in refusals {
        meets(what, &refused(answer), Code::InvalidArgument, "MESSAGE_MALFORMED");
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_and_one_just_within_it_is_read() {
    const LIMIT: usize = 4 * 1024 * 1024;
    let suite = Shared::suite().await;
    let telephony = suite.account("telephony");
    let mut large = register("large");
    large.external_id = "x".repeat(LIMIT);
    let refusal = refused(telephony.calls().register_call(large.clone()).await);
    meets("too large", &refusal, Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    assert_eq!(refusal.metadata["limit_bytes"], LIMIT.to_string());
    let over = large.encoded_len() - LIMIT;
    large.external_id.truncate(LIMIT - over);
    // The length of the text's length stays the same, so this is the limit to the byte.
    assert_eq!(large.encoded_len(), LIMIT);
    let refusal = refused(telephony.calls().register_call(large).await);
    meets("within the limit", &refusal, Code::InvalidArgument, "FIELD_INVALID");
    assert_eq!(refusal.metadata["field"], "external_id");
}

#[tokio::test]
async fn methods_and_encodings_that_nobody_serves_are_said_to_be_unknown() {
    let suite = Shared::suite().await;
    let li = suite.employee("li");
    for path in [
        "/shouwen.calls.v1.CallService/DropTables",
        "/shouwen.nothing.v1.NothingService/Do",
        "/shouwen.operator.v1.OperatorService/",
    ] {
        let refusal = refused(raw::call(&li, path, Bytes::new(), None).await);
        meets(path, &refusal, Code::Unimplemented, "METHOD_UNKNOWN");
        assert_eq!(refusal.metadata["method"], path);
    }
    let zipped = suite.account("telephony").with("grpc-encoding", "gzip");
    let refusal = refused(zipped.calls().register_call(register("zipped")).await);
    meets("gzip", &refusal, Code::Unimplemented, "COMPRESSION_UNSUPPORTED");
}
