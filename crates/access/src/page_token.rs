//! Page tokens: opaque to clients, signed, and good only for the caller and the arguments they were made for. They hold a position in
//! an order, not a result; a token never expires and never grants what its caller may not read anyway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::context::caller::Caller;
use crate::status::Failure;

/// The first byte of a token.
const FORMAT: u8 = 1;

/// Bytes of the HMAC-SHA-256 that a token carries; 128 bits are beyond guessing.
const TAG: usize = 16;

/// Issues and opens the page tokens of one service.
#[derive(Clone, Debug)]
pub struct PageTokens(hmac::Key);

/// The query that a token belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The gRPC path or the name of the method.
    pub method: &'a str,
    /// Who asks.
    pub caller: &'a Caller,
    /// Every argument that decides what is listed and in which order; not the page size.
    pub arguments: &'a [&'a str],
}

impl PageTokens {
    /// With a key of its own, 32 or more random bytes; `None` if it is shorter. All replicas of a service share it.
    pub fn new(key: &[u8]) -> Option<Self> {
        (key.len() >= 32).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// The token of the page behind `position`, e.g. the sort key of the last row. It can be read by who decodes it: no personal data.
    pub fn issue(&self, query: &Query<'_>, position: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(1 + TAG + position.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.tag(query, position));
        bytes.extend_from_slice(position);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position behind which the page begins; `None` for an empty token, the first page. `PAGE_TOKEN_INVALID` for what was not
    /// issued, or for another caller, method or arguments.
    pub fn open(&self, query: &Query<'_>, token: &str) -> Result<Option<Vec<u8>>, Failure> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Failure::page_token_invalid())?;
        let Some((&FORMAT, signed)) = bytes.split_first() else { return Err(Failure::page_token_invalid()) };
        let (tag, position) = signed.split_at_checked(TAG).ok_or_else(Failure::page_token_invalid)?;
        // Both sides under a second key: the comparison then tells nothing by its duration.
        let expected = hmac::sign(&self.0, &self.tag(query, position));
        if hmac::sign(&self.0, tag).as_ref() == expected.as_ref() {
            Ok(Some(position.to_vec()))
        } else {
            Err(Failure::page_token_invalid())
        }
    }

    fn tag(&self, query: &Query<'_>, position: &[u8]) -> [u8; TAG] {
        let principal = query.caller.principal.to_string();
        let employee = query.caller.employee.as_ref().map_or("", |name| name.as_str());
        let mut context = hmac::Context::with_key(&self.0);
        let parts = [query.method, &principal, employee].into_iter().chain(query.arguments.iter().copied());
        // Each part behind its length, so that none can reach into the next.
        for part in parts.map(str::as_bytes).chain([position]) {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; TAG];
        tag.copy_from_slice(&context.sign().as_ref()[..TAG]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shouwen_proto::access::v1::CallContext;

    use super::*;

    const METHOD: &str = "/shouwen.ownership.v1.CaseService/ListCases";

    fn caller(employee: &str) -> Caller {
        let context =
            CallContext { principal: employee.into(), employee: employee.into(), ..CallContext::default() };
        Caller::of_context(context).unwrap()
    }

    fn tokens() -> PageTokens {
        PageTokens::new(&[3; 32]).unwrap()
    }

    fn reason(result: Result<Option<Vec<u8>>, Failure>) -> String {
        result.unwrap_err().reason().to_owned()
    }

    #[test]
    fn a_token_leads_its_caller_to_the_next_page_of_the_same_query() {
        let zhang = caller("employees/zhang");
        let query = Query { method: METHOD, caller: &zhang, arguments: &["branches/b1", "state = OPEN"] };
        let token = tokens().issue(&query, b"2026-05-06/17");
        assert_eq!(tokens().open(&query, &token).unwrap().unwrap(), b"2026-05-06/17");
        assert_eq!(tokens().open(&query, "").unwrap(), None);
    }

    #[test]
    fn a_token_is_no_good_for_another_caller_method_or_arguments() {
        let (zhang, li) = (caller("employees/zhang"), caller("employees/li"));
        let query = Query { method: METHOD, caller: &zhang, arguments: &["branches/b1", ""] };
        let token = tokens().issue(&query, b"17");
        let foreign = [
            Query { caller: &li, ..query },
            Query { method: "/shouwen.calls.v1.CallService/ListCalls", ..query },
            Query { arguments: &["branches/b2", ""], ..query },
            Query { arguments: &["branches/b1"], ..query },
            Query { arguments: &["", "branches/b1"], ..query },
            Query { arguments: &["branches/b", "1"], ..query },
        ];
        for query in foreign {
            assert_eq!(reason(tokens().open(&query, &token)), "PAGE_TOKEN_INVALID");
        }
    }

    #[test]
    fn a_forged_or_malformed_token_is_refused() {
        let zhang = caller("employees/zhang");
        let query = Query { method: METHOD, caller: &zhang, arguments: &[] };
        let other_key = PageTokens::new(&[4; 32]).unwrap().issue(&query, b"17");
        let mut bytes = URL_SAFE_NO_PAD.decode(tokens().issue(&query, b"17")).unwrap();
        *bytes.last_mut().unwrap() = b'8';
        let altered = URL_SAFE_NO_PAD.encode(&bytes);
        bytes[0] = 2;
        let format_2 = URL_SAFE_NO_PAD.encode(bytes);
        for token in [other_key.as_str(), &altered, &format_2, "AQ", "50", "不是令牌", "!!!"] {
            assert_eq!(reason(tokens().open(&query, token)), "PAGE_TOKEN_INVALID", "{token}");
        }
        assert!(PageTokens::new(&[0; 31]).is_none());
    }

    proptest! {
        #[test]
        fn random_tokens_never_open(token in "[A-Za-z0-9_-]{1,80}") {
            let zhang = caller("employees/zhang");
            let query = Query { method: METHOD, caller: &zhang, arguments: &[] };
            prop_assert!(tokens().open(&query, &token).is_err());
        }
    }
}
