//! The contract of the door.

use crate::ports::{Door, DoorServer, DoorState};

/// More steps than any stand-in takes to start a server.
const STEPS: usize = 20;

/// Everything that [`Door`] promises. `pass` lets the keeper get on with starting a server.
pub async fn door(door: &dyn Door, pass: &(dyn Fn() + Sync)) {
    assert_eq!(door.servers().await.unwrap(), []);
    assert_eq!(door.status("s-0123456789abcdef0").await.unwrap(), None);
    assert!(!door.close("s-0123456789abcdef0").await.unwrap());

    let made = door.open().await.unwrap();
    assert!(made.serves(), "{made:?}");
    let fingerprint = made.fingerprint.clone().unwrap();
    assert!(fingerprint.starts_with("SHA256:") && fingerprint.len() == 50, "{fingerprint}");
    assert_eq!(made.port, 22);

    let again = door.open().await.unwrap();
    assert_eq!(again.id, made.id, "what serves already is the door");
    let standing = until_open(door, &made.id, pass).await;
    assert!(standing.host.as_ref().is_some_and(|host| host.contains(&made.id)), "{standing:?}");
    assert_eq!(standing.fingerprint.as_ref(), Some(&fingerprint));
    assert_eq!(door.servers().await.unwrap(), [standing]);

    assert!(door.close(&made.id).await.unwrap());
    until_gone(door, &made.id, pass).await;
    assert!(!door.close(&made.id).await.unwrap());
    assert_eq!(door.servers().await.unwrap(), []);

    let next = door.open().await.unwrap();
    assert_eq!(next.fingerprint, Some(fingerprint), "clients know the host key again");
    assert!(door.close(&next.id).await.unwrap());
    until_gone(door, &next.id, pass).await;
}

async fn until_open(door: &dyn Door, id: &str, pass: &(dyn Fn() + Sync)) -> DoorServer {
    for _ in 0..STEPS {
        let server = door.status(id).await.unwrap().unwrap();
        if server.state == DoorState::Open {
            return server;
        }
        assert_eq!(server.state, DoorState::Opening);
        pass();
    }
    panic!("{id} does not open");
}

async fn until_gone(door: &dyn Door, id: &str, pass: &(dyn Fn() + Sync)) {
    for _ in 0..STEPS {
        match door.status(id).await.unwrap() {
            None => return,
            Some(server) => assert_eq!(server.state, DoorState::Closing),
        }
        pass();
    }
    panic!("{id} does not close");
}
