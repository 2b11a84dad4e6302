//! The contract of these tests, compiled when they run.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use shouwen_access::Contract;

const ECHO: &str = r#"
syntax = "proto3";
package shouwen.echo.v1;
import "shouwen/access/v1/access.proto";
import "shouwen/type/v1/type.proto";

message Ping {
  string name = 1;
  string branch = 2;
  string service = 3;
  bytes payload = 8;
}

message Change {
  string name = 1;
  string request_id = 4;
  string topic = 5;
  string client = 6;
  shouwen.type.v1.Channel channel = 7;
  bytes payload = 8;
}

// Says back what it is told.
service Echo {
  rpc Get(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF, ROLE_LEAD, ROLE_HQ, ROLE_SERVICE_ACCOUNT]};
  }
  rpc Lead(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_LEAD, ROLE_HQ]};
  }
  rpc Open(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {public: true};
  }
  rpc Hidden(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF, ROLE_SYSTEM] internal: true};
  }
  rpc List(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF, ROLE_HQ, ROLE_SERVICE_ACCOUNT] branch_scope: BRANCH_SCOPE_OWN branch_field: "branch"
    };
  }
  rpc Ask(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF] service_field: "service"};
  }
  rpc Look(Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF, ROLE_HQ] case_rule: CASE_RULE_BRANCH case_field: "name"
    };
  }
  rpc Dismiss(Change) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF] case_rule: CASE_RULE_BRANCH case_field: "name" mutation: true
    };
  }
  rpc Record(Change) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF, ROLE_LEAD] case_rule: CASE_RULE_ASSISTING case_field: "name" override_allowed: true mutation: true
    };
  }
  rpc Decide(Change) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF, ROLE_LEAD] case_rule: CASE_RULE_RESPONSIBLE case_field: "name" override_allowed: true mutation: true
    };
  }
  rpc Confess(Change) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF, ROLE_LEAD] case_rule: CASE_RULE_RESPONSIBLE case_field: "name" mutation: true
    };
  }
  rpc Answer(Change) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF]
      first_touch: {contact_field: "name" topic_field: "topic" client_field: "client" channel_field: "channel"}
      mutation: true
    };
  }
  rpc Watch(Ping) returns (stream Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF]};
  }
  rpc Upload(stream Ping) returns (Ping) {
    option (shouwen.access.v1.access) = {
      roles: [ROLE_STAFF] case_rule: CASE_RULE_ASSISTING case_field: "name"
    };
  }
  rpc Chat(stream Ping) returns (stream Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF]};
  }
}
"#;

const INSIDE: &str = r#"
syntax = "proto3";
package shouwen.inside.v1;
import "shouwen/access/v1/access.proto";
import "shouwen/echo/v1/echo.proto";
service Inside {
  rpc Get(shouwen.echo.v1.Ping) returns (shouwen.echo.v1.Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF]};
  }
}
"#;

const ABSENT: &str = r#"
syntax = "proto3";
package shouwen.absent.v1;
import "shouwen/access/v1/access.proto";
import "shouwen/echo/v1/echo.proto";
service Absent {
  rpc Get(shouwen.echo.v1.Ping) returns (shouwen.echo.v1.Ping) {
    option (shouwen.access.v1.access) = {roles: [ROLE_STAFF]};
  }
}
"#;

/// The encoded descriptors.
pub(crate) static DESCRIPTORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    for (name, proto) in [("echo", ECHO), ("inside", INSIDE), ("absent", ABSENT)] {
        let folder = dir.path().join("shouwen").join(name).join("v1");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.proto")), proto).unwrap();
    }
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([dir.path(), &suite]).unwrap();
    compiler.include_imports(true);
    for name in ["inside", "absent"] {
        compiler.open_file(format!("shouwen/{name}/v1/{name}.proto")).unwrap();
    }
    compiler.encode_file_descriptor_set()
});

pub(crate) fn contract() -> Arc<Contract> {
    Arc::new(Contract::load(&DESCRIPTORS).unwrap())
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Ping {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) branch: String,
    #[prost(string, tag = "3")]
    pub(crate) service: String,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Change {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "4")]
    pub(crate) request_id: String,
    #[prost(string, tag = "5")]
    pub(crate) topic: String,
    #[prost(string, tag = "6")]
    pub(crate) client: String,
    #[prost(int32, tag = "7")]
    pub(crate) channel: i32,
    #[prost(bytes = "vec", tag = "8")]
    pub(crate) payload: Vec<u8>,
}

impl Ping {
    pub(crate) fn of(payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..Self::default() }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

impl Change {
    /// A change of what is named, with a fresh request id.
    pub(crate) fn of(name: &str) -> Self {
        let request_id = shouwen_runtime::ids::new_v4().to_string();
        Self { name: name.to_owned(), request_id, ..Self::default() }
    }
}
