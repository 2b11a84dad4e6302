//! Merging the layers and saying precisely what is wrong with them.

use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What environment variables begin with.
const PREFIX: &str = "SHOUWEN_";

/// Why the configuration cannot be used. The text names key and place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Keys that nothing reads.
    #[error("{}", .0.join("; "))]
    UnknownKeys(Vec<String>),
    /// A file is missing or not TOML, or a value has the wrong form.
    #[error("{0}")]
    Invalid(String),
    /// A value cannot be written as TOML.
    #[error("the configuration cannot be shown: {0}")]
    Print(#[from] toml::ser::Error),
}

/// The layers over a struct's own defaults, the strongest last: file, environment, flags.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// A TOML file; it must exist if it is named.
    pub file: Option<PathBuf>,
    /// Environment variables. Those that begin with `SHOUWEN_` count, with `__` between the names of nested tables:
    /// `SHOUWEN_DATABASE__MAX_CONNECTIONS` is `database.max_connections`. Unknown ones are errors if they have a
    /// `__`; others are left alone, because Kubernetes makes such variables for each of its services.
    pub environment: Vec<(String, String)>,
    /// Flags, as dotted key and value.
    pub flags: Vec<(String, String)>,
}

impl Layers {
    /// The layers of this process.
    pub fn from_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        Self { file, environment: std::env::vars().collect(), flags }
    }

    /// Merges and reads. Every key of `T` wants a default (`#[serde(default)]`) unless it is mandatory.
    pub fn load<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let mut builder = Config::builder();
        if let Some(file) = &self.file {
            builder = builder.add_source(File::from(file.as_path()).format(FileFormat::Toml).required(true));
        }
        let mut merged = builder
            .add_source(Texts::environment(&self.environment))
            .add_source(Texts::flags(&self.flags))
            .build()
            .map_err(|error| self.invalid(&error))?;
        let mut unread = Vec::new();
        let first = read::<T>(merged.clone(), &mut unread);
        // `password_file = "/path"` stands for `password = "file:/path"` where only `password` is known.
        let files: Vec<String> = unread.iter().filter(|key| key.ends_with("_file")).cloned().collect();
        if files.is_empty() {
            return self.checked(first, &unread);
        }
        for key in &files {
            merged = self.with_secret_file(merged, key)?;
        }
        unread.clear();
        let second = read::<T>(merged, &mut unread);
        let spelled = |key: &String| {
            let file_key = format!("{key}_file");
            if files.contains(&file_key) { file_key } else { key.clone() }
        };
        let known = |key: &String| !files.contains(key);
        let unread: Vec<String> = unread.iter().filter(|key| known(key)).map(spelled).collect();
        self.checked(second, &unread)
    }

    fn checked<T>(&self, read: Result<T, config::ConfigError>, unread: &[String]) -> Result<T, ConfigError> {
        let complaints: Vec<String> = unread.iter().filter_map(|key| self.complaint(key)).collect();
        if !complaints.is_empty() {
            return Err(ConfigError::UnknownKeys(complaints));
        }
        read.map_err(|error| self.invalid(&error))
    }

    /// What to say about a key or table that nothing reads, by the strongest layer that has it; `None` for a variable
    /// that need not be ours.
    fn complaint(&self, key: &str) -> Option<String> {
        // The unread key may be a table, of which flags and variables name what is in it.
        let lies_in =
            |name: &str| name.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if self.flags.iter().any(|(name, _)| lies_in(&flag_key(name))) {
            return Some(format!("unknown key `{key}` in the flags"));
        }
        let variables: Vec<&str> = self
            .environment
            .iter()
            .map(|(name, _)| name.as_str())
            .filter(|name| variable_key(name).is_some_and(|name| lies_in(&name)))
            .collect();
        let ours = variables.iter().find(|name| name[PREFIX.len()..].contains("__"));
        match (ours, &self.file) {
            (Some(name), _) => Some(format!("unknown key `{key}` (environment variable {name})")),
            (None, Some(file)) if variables.is_empty() => {
                Some(format!("unknown key `{key}` in {}", file.display()))
            }
            _ => None,
        }
    }

    fn with_secret_file(&self, merged: Config, key: &str) -> Result<Config, ConfigError> {
        let Some(base) = key.strip_suffix("_file") else { return Ok(merged) };
        let path = merged.get_string(key).map_err(|error| self.invalid(&error))?;
        let with_file = Config::builder().add_source(merged).set_override(base, format!("file:{path}"));
        let builder = with_file.map_err(|error| self.invalid(&error))?;
        builder.build().map_err(|error| self.invalid(&error))
    }

    fn invalid(&self, error: &config::ConfigError) -> ConfigError {
        let text = error.to_string();
        match &self.file {
            Some(file) if !text.contains(&file.display().to_string()) && self.could_be_in_file(error) => {
                ConfigError::Invalid(format!("{}: {text}", file.display()))
            }
            _ => ConfigError::Invalid(text),
        }
    }

    fn could_be_in_file(&self, error: &config::ConfigError) -> bool {
        match error {
            config::ConfigError::Type { origin, .. } | config::ConfigError::At { origin, .. } => {
                origin.is_none()
            }
            _ => {
                self.environment.iter().all(|(name, _)| variable_key(name).is_none()) && self.flags.is_empty()
            }
        }
    }
}

/// The effective configuration as TOML; every [`Secret`](super::Secret) shows as `[secret]`.
pub fn print_config<T: Serialize>(config: &T) -> Result<String, ConfigError> {
    Ok(toml::to_string_pretty(&toml::Value::try_from(config)?)?)
}

fn read<T: DeserializeOwned>(merged: Config, unread: &mut Vec<String>) -> Result<T, config::ConfigError> {
    // What may be left out has a `?` of its own in the path: `tls.?.key`.
    serde_ignored::deserialize(merged, |path| unread.push(path.to_string().replace(".?", "")))
}

/// `accept[0].issuer` → `accept.0.issuer`, as unread keys are written.
fn flag_key(name: &str) -> String {
    name.replace('[', ".").replace(']', "")
}

/// `SHOUWEN_DATABASE__URL` → `database.url`.
fn variable_key(name: &str) -> Option<String> {
    let key = name.strip_prefix(PREFIX)?;
    (!key.is_empty()).then(|| key.to_ascii_lowercase().replace("__", "."))
}

/// Dotted keys with values as text; numbers and the like are read from the text by whoever wants them, so that a
/// password of digits stays as it is.
#[derive(Clone, Debug)]
struct Texts(Vec<(String, String, String)>);

impl Texts {
    fn environment(variables: &[(String, String)]) -> Self {
        let ours = variables.iter().filter_map(|(name, value)| {
            Some((variable_key(name)?, value.clone(), format!("environment variable {name}")))
        });
        Self(ours.collect())
    }

    fn flags(flags: &[(String, String)]) -> Self {
        Self(flags.iter().map(|(key, value)| (key.clone(), value.clone(), "the flags".to_owned())).collect())
    }
}

impl Source for Texts {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        let value =
            |text: &String, origin: &String| Value::new(Some(origin), ValueKind::String(text.clone()));
        Ok(self.0.iter().map(|(key, text, origin)| (key.clone(), value(text, origin))).collect())
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().map(Path::display);
        match file {
            Some(file) => write!(f, "flags, environment, {file}, defaults"),
            None => f.write_str("flags, environment, defaults"),
        }
    }
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
