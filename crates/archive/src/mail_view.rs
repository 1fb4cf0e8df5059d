//! One mail: as it is, and made readable.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::StreamExt;
use mail::{Defect, Defects, View};
use serde_json::{Value, json};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    Archive, Error, MailHash, MessageRow, Result, access::Visible, hash::to_hex, ports::ObjectKey, store::RawMail,
    time::rfc3339,
};

/// A mail up to this size is parsed as a whole; of a larger one the beginning is shown, and that it is too large.
const PARSED_BYTES: u64 = 32 << 20;
/// Nobody waits longer for a mail to be made readable; usual ones take some milliseconds.
const VIEW_TIME: Duration = Duration::from_secs(10);
/// A parser that was told to stop has done so by then.
const STOP_TIME: Duration = Duration::from_secs(5);
/// So many KiB of mails are made readable at a time, each of which takes about twice as much memory meanwhile.
const ROOM_KIB: usize = 128 << 10;
/// A mail up to this size waits for no larger one: it takes next to nothing.
const SMALL_BYTES: u64 = 256 << 10;
/// A link to a copy serves so long; a store that lends out removes copies after a day.
const LENT: Duration = Duration::from_mins(10);

/// Room for the mails that are made readable at a time: many who look at large ones at once do not fill the memory.
#[derive(Clone)]
pub struct ViewRoom(Arc<Semaphore>);

impl Default for ViewRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ROOM_KIB)))
    }
}

impl ViewRoom {
    /// Waits for room for so many bytes; none is needed for a small mail.
    pub(crate) async fn take(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        if bytes <= SMALL_BYTES {
            return None;
        }
        let kib = u32::try_from(bytes.min(PARSED_BYTES).div_ceil(1024)).ok()?;
        self.0.clone().acquire_many_owned(kib).await.ok()
    }
}

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

    /// The mail made readable: headers, addresses, dates, text, safe HTML, attachments, defects.
    pub async fn show(&self, visible: &Visible, id: &MailHash) -> Result<Value> {
        let row = self.find_mail(visible, id).await?;
        let whole = row.size_bytes <= PARSED_BYTES;
        let read_bytes = if whole { row.size_bytes } else { mail::HEADER_LIMIT_BYTES as u64 };
        let room = self.view_room.take(read_bytes).await;
        let raw = if whole { self.read_whole(&row, PARSED_BYTES).await? } else { self.read_prefix(&row).await? };
        let mut view = readable(raw, whole, VIEW_TIME, room).await.unwrap_or_else(|| View {
            subject: row.subject.clone(),
            from: row.from.clone(),
            defects: Defect::ParserFailed.into(),
            ..View::default()
        });
        view.defects |= Defects::from_bits(row.defects);
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

/// Parses a mail, of which `raw` is the `whole` or the beginning. After `limit` the parser is stopped, and what it has is
/// shown; none if it panics or does not stop. The room is kept until the parser has ended, even if nobody waits for it.
async fn readable(raw: Vec<u8>, whole: bool, limit: Duration, room: Option<OwnedSemaphorePermit>) -> Option<View> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let goes_on = move || !stopped.load(Ordering::Relaxed);
    let mut view = spawn_blocking(move || {
        let view = mail::view_while(&raw, whole, &mail::Limits::default(), &goes_on);
        drop((raw, room));
        view
    });
    if let Ok(parsed) = timeout(limit, &mut view).await {
        return parsed.ok();
    }
    stop.store(true, Ordering::Relaxed);
    timeout(STOP_TIME, view).await.ok()?.ok()
}

fn document(row: &MessageRow, view: View) -> Value {
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
        "to": view.to,
        "cc": view.cc,
        "bcc": view.bcc,
        "reply_to": view.reply_to,
        "message_id": row.message_id,
        "message_date": row.message_date.and_then(rfc3339),
        "message_date_source": row.message_date_source,
        "archive_date": row.archive_date.and_then(rfc3339),
        "import_date": rfc3339(row.import_date),
        "text": view.text,
        "html_safe": view.html_safe,
        "blocked": { "active": view.blocked.active, "remote": view.blocked.remote },
        "attachments": view.attachments.into_iter().map(attachment).collect::<Vec<_>>(),
        "defects": view.defects.iter().collect::<Vec<_>>(),
        "partially_indexed": view.defects.partially_indexed(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes much longer than a look at the time.
    fn long_mail() -> Vec<u8> {
        format!("Subject: long\nContent-Type: text/html\n\n{}", "<p>word</p>".repeat(180_000)).into_bytes()
    }

    #[tokio::test]
    async fn a_mail_that_takes_too_long_is_stopped_and_shown_by_its_header() {
        let view = readable(long_mail(), true, Duration::ZERO, None).await.unwrap();
        assert_eq!(view.subject.as_deref(), Some("long"));
        assert!(view.defects.contains(Defect::ParserFailed) && view.defects.partially_indexed());
        let view = readable(long_mail(), true, VIEW_TIME, None).await.unwrap();
        assert!(view.defects.contains(Defect::IdMissing) && !view.defects.partially_indexed());
    }
}
