//! Transfer Family asks who may come in: its event to an answer that lets a user into one folder, or to none.

use archive::{Archive, Error, ErrorKind, Proof, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What Transfer Family sends. Neither printed nor logged as a whole: it may hold a password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginEvent {
    pub username: String,
    /// None or empty where a key is offered.
    #[serde(default)]
    pub password: Option<String>,
    pub protocol: String,
    pub server_id: String,
    #[serde(default)]
    pub source_ip: String,
}

/// Where those who come in land.
#[derive(Clone, Debug)]
pub struct Landing {
    pub uploads_bucket: String,
    /// ARN of the role that acts for every user; the policy of the answer narrows it to one.
    pub uploader_role: String,
    /// ARN of the key under which the bucket is encrypted.
    pub wrap_key: String,
}

/// What Transfer Family is told. Without a role (`{}`) nobody comes in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoginAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_directory_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_directory_details: Option<String>,
    /// One of them must be the peer's; Transfer Family checks that it holds the private one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub public_keys: Vec<String>,
}

/// Answers who may come in. Whoever may not is refused, with the reason in the log alone; an error is one of the
/// archive, and lets nobody in either.
pub async fn login(archive: &Archive, landing: &Landing, event: &LoginEvent) -> Result<LoginAnswer> {
    let (user, server, from) = (event.username.as_str(), event.server_id.as_str(), event.source_ip.as_str());
    match admit(archive, landing, event).await {
        Ok(answer) => {
            tracing::info!(user, server, from, with_key = !answer.public_keys.is_empty(), "SFTP login");
            Ok(answer)
        }
        Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::Invalid) => {
            tracing::warn!(user, server, from, reason = error.message(), "SFTP login refused");
            Ok(LoginAnswer::default())
        }
        Err(error) => Err(error),
    }
}

async fn admit(archive: &Archive, landing: &Landing, event: &LoginEvent) -> Result<LoginAnswer> {
    if event.protocol != "SFTP" {
        return Err(Error::denied(format!("the protocol {:?} is not SFTP", event.protocol)));
    }
    check_home(&event.username)?;
    let public_keys = match event.password.as_deref().filter(|password| !password.is_empty()) {
        Some(password) => {
            archive.sftp_login(&event.username, Proof::Password(password)).await?;
            Vec::new()
        }
        None => archive.sftp_keys(&event.username).await?,
    };
    let target = format!("/{}/{}", landing.uploads_bucket, event.username);
    Ok(LoginAnswer {
        role: Some(landing.uploader_role.clone()),
        policy: Some(policy(landing, &event.username)?.to_string()),
        home_directory_type: Some("LOGICAL"),
        home_directory_details: Some(json!([{ "Entry": "/", "Target": target }]).to_string()),
        public_keys,
    })
}

/// The name goes into keys and into a policy, where `*`, `?` and `${` would widen it and other scripts may not stand. A
/// user of another script exists, but cannot come in by Transfer Family, which takes no such name.
fn check_home(name: &str) -> Result<()> {
    let inside = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    if name.len() > 100 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(inside) {
        return Err(Error::denied("the user name cannot be the name of a home here"));
    }
    Ok(())
}

/// What the role is narrowed to: the objects of one home. Transfer Family has the credentials, the user never sees them.
fn policy(landing: &Landing, user: &str) -> Result<Value> {
    // arn:PARTITION:iam::ACCOUNT:role/NAME
    let partition = landing.uploader_role.split(':').nth(1).filter(|partition| !partition.is_empty());
    let partition = partition.ok_or_else(|| Error::internal("the uploaders' role is not given by its ARN"))?;
    let bucket = format!("arn:{partition}:s3:::{}", landing.uploads_bucket);
    Ok(json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ListHome",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket,
                // The name alone is what Transfer Family looks for to see whether the home is a folder.
                "Condition": { "StringLike": { "s3:prefix": [user, format!("{user}/*")] } },
            },
            { "Sid": "FindBucket", "Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": bucket },
            // Markers of ours cannot be written: the role denies it for every home.
            {
                "Sid": "UseHome",
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:PutObject",
                    "s3:DeleteObject",
                    "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                ],
                "Resource": format!("{bucket}/{user}/*"),
            },
            // The bucket is encrypted: without this, what the role may do with the key is lost here.
            {
                "Sid": "Encrypt",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": landing.wrap_key,
            },
        ],
    }))
}

#[cfg(test)]
mod tests;
