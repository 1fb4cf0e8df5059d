//! Transfer Family asks who may come in by SFTP.

use functions::{
    login::{self, Landing, LoginAnswer, LoginEvent},
    start::Started,
};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let started = Started::begin("login").await?;
    let landing = Landing {
        uploads_bucket: started.settings.uploads_bucket.clone(),
        uploader_role: started.settings.uploader_role.clone().unwrap_or_default(),
        wrap_key: started.settings.wrap_key.clone().unwrap_or_default(),
    };
    let (started, landing) = (&started, &landing);
    let invoked = |event: LambdaEvent<LoginEvent>| async move {
        let (asked, context) = event.into_parts();
        let answer = async |_| login::login(&started.archive, landing, &asked).await;
        Ok::<LoginAnswer, Error>(started.metered(&context, 1, answer).await?)
    };
    lambda_runtime::run(service_fn(invoked)).await
}
