//! A wire to an emulator that goes wrong when told to.

use std::sync::{Arc, Mutex};

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use super::http::{Message, read};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It takes place, and the connection breaks before the answer.
    AnswerLost,
    /// It never arrives; the answer is this status.
    Refused(u16),
    /// It takes place, and half of the answer's body arrives.
    BodyCut,
}

type Choose = dyn FnMut(&Message) -> Option<Fate> + Send;

/// Listens on a port of its own and answers its address. `choose` sees every request before it is passed on.
pub(crate) async fn before(endpoint: &str, choose: impl FnMut(&Message) -> Option<Fate> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let target = endpoint.strip_prefix("http://").unwrap().to_owned();
    let choose: Arc<Mutex<Choose>> = Arc::new(Mutex::new(choose));
    tokio::spawn(async move {
        while let Ok((wire, _)) = listener.accept().await {
            tokio::spawn(serve(wire, target.clone(), Arc::clone(&choose)));
        }
    });
    address
}

async fn serve(mut wire: TcpStream, target: String, choose: Arc<Mutex<Choose>>) {
    while let Some(request) = read(&mut wire, false).await {
        let fate = (choose.lock().unwrap())(&request);
        let answer = if let Some(Fate::Refused(status)) = fate {
            format!("HTTP/1.1 {status} Refused\r\ncontent-length: 0\r\n\r\n").into_bytes()
        } else {
            let answer = pass(&target, &request).await;
            if fate == Some(Fate::AnswerLost) {
                return;
            }
            answer.to_bytes()
        };
        if fate == Some(Fate::BodyCut) {
            let half = answer.len() / 2;
            let _ = wire.write_all(answer.get(..half).unwrap()).await;
            return;
        }
        if wire.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn pass(target: &str, request: &Message) -> Message {
    let mut wire = TcpStream::connect(target).await.unwrap();
    let mut request = request.clone();
    request.headers.retain(|(name, _)| name != "connection");
    request.headers.push(("connection".into(), "close".into()));
    wire.write_all(&request.to_bytes()).await.unwrap();
    let bodiless = request.start.starts_with("HEAD ");
    let mut answer = read(&mut wire, bodiless).await.unwrap();
    answer.headers.retain(|(name, _)| name != "connection");
    answer
}
