//! Who the other side of a TLS connection is, as far as its certificate says.

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;

/// A client's certificate, already verified against its authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The subject's common name; empty if it has none.
    pub subject: String,
    /// SHA-256 of the certificate, lower-case hex.
    pub fingerprint: String,
}

impl PeerCertificate {
    pub(crate) fn new(certificate: &CertificateDer<'_>) -> Self {
        Self {
            subject: common_name(certificate).unwrap_or_default(),
            fingerprint: hex::encode(digest(&SHA256, certificate).as_ref()),
        }
    }
}

/// DER tags of what lies on the way to the name (X.509, RFC 5280 section 4.1).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_ID: u8 = 0x06;
const EXPLICIT_VERSION: u8 = 0xa0;
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

fn common_name(certificate: &[u8]) -> Option<String> {
    let (SEQUENCE, certificate, _) = element(certificate)? else { return None };
    let (SEQUENCE, mut rest, _) = element(certificate)? else { return None };
    if let (EXPLICIT_VERSION, _, after) = element(rest)? {
        rest = after;
    }
    // Serial number, signature algorithm, issuer, validity; then the subject.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, mut names, _) = element(rest)? else { return None };
    while !names.is_empty() {
        let (SET, mut attributes, after) = element(names)? else { return None };
        while !attributes.is_empty() {
            let (SEQUENCE, attribute, next) = element(attributes)? else { return None };
            let (OBJECT_ID, id, value) = element(attribute)? else { return None };
            if id == COMMON_NAME {
                return String::from_utf8(element(value)?.1.to_vec()).ok();
            }
            attributes = next;
        }
        names = after;
    }
    None
}

/// Splits the first element off: tag, content, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;
    use shouwen_testkit::TestCa;

    use super::*;

    #[test]
    fn the_common_name_of_a_certificate_is_found() {
        let ca = TestCa::new();
        let client = ca.client("client", "crm-east");
        let der = CertificateDer::from_pem_file(client.certificate).unwrap();
        let peer = PeerCertificate::new(&der);
        assert_eq!(peer.subject, "crm-east");
        assert_eq!(peer.fingerprint.len(), 64);
    }

    #[test]
    fn nonsense_has_no_name() {
        for bytes in [&b""[..], b"\x30", b"\x30\x85\xff\xff\xff\xff\xff", b"\x30\x02\x30\x00", b"\x30\x80"] {
            assert_eq!(common_name(bytes), None);
        }
    }
}
