//! Personal data between API, ledger and vault: texts become `Private` messages and back.

use shouwen_access::Failure;
use shouwen_proto::r#type::v1::{Private, Sealed as SealedMessage, private::Form};
use shouwen_vault::{Place, Plain, Sealed, Subject, Vault};

use crate::refusal;

/// Seals texts of one aggregate under one subject.
#[derive(Clone, Copy)]
pub struct Sealer<'a> {
    pub vault: &'a Vault,
    pub subject: &'a Subject,
    pub aggregate: &'a str,
}

impl Sealer<'_> {
    /// Seals fields given as name and text, in order. An empty text stays absent.
    pub async fn seal<const N: usize>(
        &self,
        fields: [(&str, &str); N],
    ) -> Result<[Option<Private>; N], Failure> {
        let plain: Vec<Plain<'_>> = fields
            .iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(field, text)| Plain {
                subject: self.subject,
                place: Place { aggregate: self.aggregate, field },
                text,
            })
            .collect();
        let mut sealed = if plain.is_empty() {
            Vec::new()
        } else {
            self.vault.seal_many(&plain).await.map_err(|error| refusal::vault(&error))?
        }
        .into_iter();
        Ok(fields.map(|(_, text)| if text.is_empty() { None } else { sealed.next().map(message) }))
    }
}

/// As a message for the ledger.
pub fn message(sealed: Sealed) -> Private {
    Private {
        form: Some(Form::Sealed(SealedMessage {
            subject: sealed.subject.as_str().to_owned(),
            field: sealed.field,
            ciphertext: sealed.ciphertext,
            aggregate: sealed.aggregate,
        })),
    }
}

/// What the vault opens; `None` where nothing is sealed.
pub fn sealed(private: Option<&Private>) -> Option<Sealed> {
    match private?.form.as_ref()? {
        Form::Sealed(sealed) => Some(Sealed {
            subject: Subject::new(sealed.subject.clone()),
            aggregate: sealed.aggregate.clone(),
            field: sealed.field.clone(),
            ciphertext: sealed.ciphertext.clone(),
        }),
        Form::Clear(_) => None,
    }
}

/// The text in clear of a private field that came over a feed.
pub fn clear(private: Option<&Private>) -> &str {
    match private.and_then(|private| private.form.as_ref()) {
        Some(Form::Clear(text)) => text,
        _ => "",
    }
}

/// Opens a private field; empty where there is none.
pub async fn open(vault: &Vault, private: Option<&Private>) -> Result<String, Failure> {
    match sealed(private) {
        Some(sealed) => vault.unseal(&sealed).await.map_err(|error| refusal::vault(&error)),
        None => Ok(clear(private).to_owned()),
    }
}
