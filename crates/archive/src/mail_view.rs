//! One mail: as it is, and made readable.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::{
    Archive, Error, MailHash, MessageRow, Result, access::Visible, hash::to_hex, ports::ObjectKey, store::RawMail,
};

/// A mail up to this size is parsed as a whole; of a larger one the header is shown, and that it is too large.
const PARSED_BYTES: u64 = 32 << 20;
/// A link to a copy serves so long; a store that lends out removes copies after a day.
const LENT: Duration = Duration::from_mins(10);

impl Archive {
    /// The raw bytes of a mail, exactly as they were archived.
    pub async fn raw(&self, visible: &Visible, id: &MailHash) -> Result<RawMail> {
        let row = self.find_mail(visible, id).await?;
        self.read_mail(&row).await
    }

    /// A link to a copy of the mail, for whoever cannot be given its bytes. The copy goes by itself.
    pub async fn lend(&self, id: &MailHash, mail: RawMail) -> Result<String> {
        let key = ObjectKey::parse(format!("temporary/{}.eml", self.random_id()))?;
        let (mut copy, mut blocks) = (self.objects.create(&key).await?, mail.blocks);
        while let Some(block) = blocks.next().await {
            copy.write(block?).await?;
        }
        copy.finish().await?;
        let link = self.objects.link(&key, LENT, &format!("{id}.eml")).await?;
        link.ok_or_else(|| Error::internal("the store of this archive gives no links"))
    }

    /// The mail made readable: headers, text, safe HTML, attachments, defects.
    pub async fn show(&self, visible: &Visible, id: &MailHash) -> Result<Value> {
        let row = self.find_mail(visible, id).await?;
        let whole = row.size_bytes <= PARSED_BYTES;
        let raw = if whole { self.read_whole(&row, PARSED_BYTES).await? } else { self.read_prefix(&row).await? };
        let view = tokio::task::spawn_blocking(move || mail::view(&raw, &mail::Limits::default()));
        let mut view = view
            .await
            .unwrap_or_else(|_| mail::View { defects: mail::Defect::ParserFailed.into(), ..mail::View::default() });
        view.defects |= mail::Defects::from_bits(row.defects);
        if !whole {
            view.defects |= mail::Defect::SizeBig;
        }
        Ok(document(&row, view))
    }

    async fn read_prefix(&self, row: &MessageRow) -> Result<Vec<u8>> {
        let (mut raw, mut blocks) = (Vec::new(), self.read_mail(row).await?.blocks);
        while raw.len() < mail::HEADER_LIMIT_BYTES {
            let Some(block) = blocks.next().await else { break };
            raw.extend_from_slice(&block?);
        }
        Ok(raw)
    }
}

fn document(row: &MessageRow, view: mail::View) -> Value {
    let attachment = |part: mail::Attachment| {
        json!({
            "name": part.name,
            "content_type": part.content_type,
            "size_bytes": part.size_bytes,
            "sha256": to_hex(&part.sha256),
        })
    };
    json!({
        "id": row.hash,
        "size_bytes": row.size_bytes,
        "headers": view.headers,
        "subject": view.subject,
        "from": view.from,
        "text": view.text,
        "html_safe": view.html_safe,
        "attachments": view.attachments.into_iter().map(attachment).collect::<Vec<_>>(),
        "defects": view.defects.iter().collect::<Vec<_>>(),
    })
}
