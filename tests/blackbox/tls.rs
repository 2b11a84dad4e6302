//! Certificates: between callers and the gateway, between the services, and changed while everything runs.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use shouwen_proto::{calls::v1::Call, ownership::v1::GetEmployeeRequest};
use shouwen_runtime::tls::{ClientTls, client_config};
use shouwen_testkit::{TestCa, TestCertificate, until};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{
    Code, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::harness::{
    Client, PATIENCE, Refusal, Shape, Suite,
    client::claims,
    place::Place,
    process::{run, text},
    refused,
    requests::{answer, register},
    suite::TlsFiles,
};

/// A channel that trusts this authority, with or without a certificate of its own.
fn channel(address: SocketAddr, ca: &TestCa, identity: Option<&TestCertificate>) -> Channel {
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(ca.ca_file()).unwrap()));
    if let Some(identity) = identity {
        let read = |path: &Path| fs::read(path).unwrap();
        tls = tls.identity(Identity::from_pem(read(&identity.certificate), read(&identity.key)));
    }
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    endpoint.tls_config(tls).unwrap().connect_lazy()
}

fn caller(suite: &Suite, channel: Channel, subject: &str) -> Client {
    Client::anonymous(channel).token(&suite.deployment.issuer.sign(&claims(subject)))
}

async fn read(client: &Client) -> Result<(), Status> {
    let request = GetEmployeeRequest { name: "employees/li".to_owned() };
    client.roster().get_employee(request).await.map(drop)
}

/// The certificate that a listener shows now.
async fn shown(address: SocketAddr, ca: &TestCa) -> Option<CertificateDer<'static>> {
    let trusted = ClientTls { ca: Some(ca.ca_file()), ..ClientTls::default() };
    let connector = TlsConnector::from(Arc::clone(&client_config(&trusted, &["h2"]).unwrap()));
    let stream = TcpStream::connect(address).await.ok()?;
    let name = ServerName::from(address.ip());
    let connected = connector.connect(name, stream).await.ok()?;
    let (_, session) = connected.get_ref();
    Some(session.peer_certificates()?[0].clone())
}

fn on_disk(certificate: &TestCertificate) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&certificate.certificate).unwrap()
}

async fn started(ca: &TestCa, mutual: bool) -> Suite {
    let tls = TlsFiles {
        server: ca.server("server", &["127.0.0.1", "localhost"]),
        client: ca.client("service", "shouwen"),
        ca: ca.ca_file(),
        mutual,
    };
    let shape = Shape { tls: Some(tls), ..Shape::default() };
    let suite = Suite::prepared(Place::shared().await, &shape);
    suite.start_all();
    suite.ready().await;
    let made = suite.bootstrap();
    assert!(made.status.success(), "{}", text(&made));
    suite
}

/// A call that goes through all services, as its answer shows.
async fn works(suite: &Suite, channel: Channel, call: &str) -> Call {
    let telephony = caller(suite, channel.clone(), "serviceAccounts/telephony");
    telephony.calls().register_call(register(call)).await.unwrap();
    let li = caller(suite, channel, "employees/li");
    li.calls().answer_call(answer(call)).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_certificate_is_replaced_while_the_gateway_runs() {
    let ca = TestCa::new();
    let suite = started(&ca, false).await;
    let address = suite.gateways[0].address;
    let trusting = channel(address, &ca, None);
    let admin = caller(&suite, trusting.clone(), "employees/admin");
    suite.fill_roster_as(&admin).await;
    assert_eq!(works(&suite, trusting, "tls-1").await.employee, "employees/li");

    // In plain text, or trusting somebody else, nobody gets through.
    let plain = suite.employee("li");
    assert!(Refusal::of(&read(&plain).await.unwrap_err()).is_none());
    let other = TestCa::new();
    let mistrusting = caller(&suite, channel(address, &other, None), "employees/li");
    assert!(Refusal::of(&read(&mistrusting).await.unwrap_err()).is_none());

    let before = shown(address, &ca).await.unwrap();
    // Half of a new pair is not used, and does no harm.
    let half = ca.server("half", &["127.0.0.1"]);
    fs::copy(&half.certificate, ca.dir().join("server.pem")).unwrap();
    suite.gateways[0].signal("-HUP");
    until("the log says that the files do not fit", PATIENCE, async || {
        suite.gateways[0].log().contains("server.pem").then_some(())
    })
    .await;
    assert_eq!(shown(address, &ca).await.unwrap(), before);

    let after = ca.server("server", &["127.0.0.1", "localhost"]);
    suite.gateways[0].signal("-HUP");
    let expected = on_disk(&after);
    assert_ne!(expected, before);
    until("the new certificate is shown", PATIENCE, async || {
        shown(address, &ca).await.filter(|shown| *shown == expected)
    })
    .await;
    assert_eq!(works(&suite, channel(address, &ca, None), "tls-2").await.employee, "employees/li");
}

#[tokio::test]
async fn with_mutual_tls_a_certificate_is_needed_beside_the_token() {
    let ca = TestCa::new();
    let suite = started(&ca, true).await;
    let address = suite.gateways[0].address;
    let crm = ca.client("crm", "crm-east");
    let known = channel(address, &ca, Some(&crm));
    suite.fill_roster_as(&caller(&suite, known.clone(), "employees/admin")).await;
    assert_eq!(works(&suite, known.clone(), "mtls-1").await.employee, "employees/li");

    let bare = caller(&suite, channel(address, &ca, None), "employees/li");
    assert!(Refusal::of(&read(&bare).await.unwrap_err()).is_none());
    let elsewhere = TestCa::new();
    let stranger = elsewhere.client("crm", "crm-east");
    let foreign = caller(&suite, channel(address, &ca, Some(&stranger)), "employees/li");
    assert!(Refusal::of(&read(&foreign).await.unwrap_err()).is_none());
    let refusal = refused(read(&Client::anonymous(known)).await);
    assert_eq!(refusal.kind(), (Code::Unauthenticated, "TOKEN_MISSING"));
    // Backends demand certificates, too.
    let backend = Client::anonymous(channel(suite.calls[0].address, &ca, None));
    assert!(Refusal::of(&read(&backend).await.unwrap_err()).is_none());
    probed_with_its_own_certificate(&suite, &ca, &crm);
}

/// `shouwen healthcheck` gets through like any other caller.
fn probed_with_its_own_certificate(suite: &Suite, ca: &TestCa, own: &TestCertificate) {
    let file = |path: &Path| path.display().to_string();
    let (authority, certificate, key) = (file(&ca.ca_file()), file(&own.certificate), file(&own.key));
    let (authority, certificate, key) = (authority.as_str(), certificate.as_str(), key.as_str());
    let probe = |address: SocketAddr, arguments: &[&str]| {
        let address = format!("https://{address}");
        let mut all = vec!["healthcheck", "--address", address.as_str()];
        all.extend_from_slice(arguments);
        let output = run(all);
        (output.status.code(), text(&output))
    };
    let gateway = suite.gateways[0].address;
    let known = ["--ca", authority, "--cert", certificate, "--key", key];
    let patient = [&known[..], &["--timeout", "30"]].concat();
    for address in [gateway, suite.calls[0].address] {
        let (code, said) = probe(address, &patient);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = probe(gateway, &[&patient[..], &["--server-name", "localhost"]].concat());
    assert_eq!(code, Some(0), "{said}");
    let elsewhere = [&known[..], &["--server-name", "elsewhere.example", "--timeout", "1"]].concat();
    let (code, said) = probe(gateway, &elsewhere);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = probe(gateway, &["--ca", authority, "--timeout", "1"]);
    assert_eq!(code, Some(1), "without a certificate: {said}");
    let (code, said) = probe(gateway, &["--ca", authority, "--cert", certificate]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--key"), "{said}");
    let (code, said) = probe(gateway, &["--ca", "/nowhere/ca.pem"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("/nowhere/ca.pem"), "{said}");
}
