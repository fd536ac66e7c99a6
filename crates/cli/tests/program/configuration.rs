//! A wrong value stops the program before it does anything, and says which key, which value and what is allowed.

use stoa_testkit::databases;

use crate::site::command;

/// What the program says on standard error when it is started so; it must refuse.
async fn refusal(arguments: &[&str], variable: Option<(&str, &str)>, file: Option<&str>) -> String {
    let folder = tempfile::tempdir().unwrap();
    if let Some(text) = file {
        std::fs::write(folder.path().join("stoa.toml"), text).unwrap();
    }
    let mut command = command(folder.path());
    let output = command.arg("serve").args(arguments).envs(variable).output().await.unwrap();
    assert!(!output.status.success());
    assert!(!folder.path().join("data").exists(), "it did something before it refused");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_wrong_value_names_the_key_the_value_its_origin_and_what_is_allowed() {
    databases::run(async {
        let said = refusal(&["--listen", "nonsense"], None, None).await;
        assert_eq!(
            said,
            "stoa: listen = \"nonsense\" (from --listen): write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080\n"
        );
        let said = refusal(&[], Some(("STOA_LOG_FORMAT", "xml")), None).await;
        assert_eq!(said, "stoa: log_format = \"xml\" (from STOA_LOG_FORMAT): write text or json\n");
        let said = refusal(&[], None, Some("storage = \"ftp://files.example\"\n")).await;
        assert!(said.contains("storage = \"ftp://files.example\"") && said.contains("stoa.toml") && said.contains("s3://BUCKET"), "{said}");
        let said = refusal(&[], None, Some("listn = \"127.0.0.1:1\"\n")).await;
        assert!(said.contains("unknown key \"listn\"") && said.contains("listen, data, database"), "{said}");
    });
}

#[test]
fn an_option_wins_over_a_variable_and_a_variable_over_the_file() {
    databases::run(async {
        let said = refusal(&["--log-format", "option"], Some(("STOA_LOG_FORMAT", "variable")), Some("log_format = \"file\"\n")).await;
        assert!(said.contains("\"option\""), "{said}");
        let said = refusal(&[], Some(("STOA_LOG_FORMAT", "variable")), Some("log_format = \"file\"\n")).await;
        assert!(said.contains("\"variable\""), "{said}");
    });
}
