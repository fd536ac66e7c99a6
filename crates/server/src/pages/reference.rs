//! The API reference: the OpenAPI document as a page, without any script of others.

use std::sync::LazyLock;

use axum::response::IntoResponse;
use serde_json::Value;

use super::{
    Shell, filters,
    page::{PageResult, Visitor},
};

/// `GET /api/docs`.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "reference.html")]
pub struct ReferencePage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The operations by their tag.
    pub groups: &'static [Group],
    /// The shapes of bodies.
    pub shapes: &'static [Shape],
}

/// The operations of one noun.
#[derive(Debug, Default)]
pub struct Group {
    /// The noun.
    pub name: String,
    /// Its place on the page.
    pub anchor: String,
    /// Its operations, in the order of the router.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path with its parameters.
    pub path: String,
    /// Its place on the page.
    pub anchor: String,
    /// What it does.
    pub summary: String,
    /// What else is to be known; may be empty.
    pub description: String,
    /// What goes into path and query.
    pub parameters: Vec<Property>,
    /// What goes into the body.
    pub body: Option<TypeName>,
    /// What comes out.
    pub responses: Vec<Outcome>,
}

/// One answer of an operation.
#[derive(Debug)]
pub struct Outcome {
    /// The HTTP status.
    pub status: String,
    /// What it means.
    pub description: String,
    /// Its body.
    pub body: Option<TypeName>,
}

/// A type in words, with the shape it links to.
#[derive(Debug, Default, Clone)]
pub struct TypeName {
    /// Such as `list of string`.
    pub text: String,
    /// The anchor of the shape; empty where there is none.
    pub anchor: String,
}

/// A parameter or a field.
#[derive(Debug)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// `path`, `query` or empty for a field.
    pub place: String,
    /// Whether it must be there.
    pub required: bool,
    /// Its type.
    pub of: TypeName,
    /// What it means.
    pub description: String,
}

/// An object of the API.
#[derive(Debug)]
pub struct Shape {
    /// Its name.
    pub name: String,
    /// Its place on the page.
    pub anchor: String,
    /// What it is.
    pub description: String,
    /// Its fields.
    pub fields: Vec<Property>,
}

/// The document never changes while the program runs, so it is read once.
static READ: LazyLock<(Vec<Group>, Vec<Shape>)> = LazyLock::new(|| {
    let document = serde_json::to_value(crate::openapi()).unwrap_or_default();
    (groups(&document), shapes(&document))
});

/// `GET /api/docs`, for everybody.
pub async fn show(visitor: Visitor) -> PageResult {
    let mut conn = visitor.read().await?;
    let shell = visitor.shell(&mut conn, "").await?;
    Ok(ReferencePage { shell, groups: &READ.0, shapes: &READ.1 }.into_response())
}

/// A text without the marks of code, which a page shows otherwise.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().trim().replace('`', "")
}

fn anchor(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            if !["get", "put", "post", "patch", "delete", "head"].contains(&method.as_str()) {
                continue;
            }
            let name = operation["tags"][0].as_str().unwrap_or("other").to_owned();
            let made = self::operation(path, method, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(made),
                None => groups.push(Group { anchor: format!("tag-{}", anchor(&name)), name, operations: vec![made] }),
            }
        }
    }
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    groups
}

fn operation(path: &str, method: &str, operation: &Value) -> Operation {
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|one| Property {
        name: text(&one["name"]),
        place: text(&one["in"]),
        required: one["required"].as_bool().unwrap_or(false),
        of: type_of(&one["schema"]),
        description: text(&one["description"]),
    });
    let responses = operation["responses"].as_object().into_iter().flatten().map(|(status, response)| Outcome {
        status: status.clone(),
        description: text(&response["description"]),
        body: content(&response["content"]),
    });
    Operation {
        method: method.to_uppercase(),
        path: path.to_owned(),
        anchor: format!("op-{method}{}", anchor(path)),
        summary: text(&operation["summary"]),
        description: text(&operation["description"]),
        parameters: parameters.collect(),
        body: content(&operation["requestBody"]["content"]),
        responses: responses.collect(),
    }
}

/// The type of the first media type of a body.
fn content(content: &Value) -> Option<TypeName> {
    let (media, body) = content.as_object()?.iter().next()?;
    let mut of = type_of(&body["schema"]);
    if of.text.is_empty() || !media.ends_with("json") {
        of.text = if of.text.is_empty() { media.clone() } else { format!("{} ({media})", of.text) };
    }
    Some(of)
}

fn type_of(schema: &Value) -> TypeName {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return TypeName { text: name.to_owned(), anchor: format!("shape-{}", anchor(name)) };
    }
    if let Some(some) = ["oneOf", "anyOf", "allOf"].into_iter().find_map(|key| schema[key].as_array()) {
        let of: Vec<TypeName> = some.iter().filter(|one| one["type"] != "null").map(type_of).collect();
        let text = of.iter().map(|one| one.text.as_str()).collect::<Vec<_>>().join(" or ");
        return TypeName { text, anchor: of.into_iter().map(|one| one.anchor).find(|anchor| !anchor.is_empty()).unwrap_or_default() };
    }
    let kind = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    };
    if kind == "array" {
        let of = type_of(&schema["items"]);
        return TypeName { text: format!("list of {}", of.text), anchor: of.anchor };
    }
    let words: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = match schema["format"].as_str() {
        _ if !words.is_empty() => words.join(" | "),
        Some(format) => format!("{kind} ({format})"),
        None => kind,
    };
    TypeName { text, anchor: String::new() }
}

fn shapes(document: &Value) -> Vec<Shape> {
    let schemas = document["components"]["schemas"].as_object();
    let shape = |(name, schema): (&String, &Value)| Shape {
        name: name.clone(),
        anchor: format!("shape-{}", anchor(name)),
        description: text(&schema["description"]),
        fields: fields(schema),
    };
    schemas.into_iter().flatten().map(shape).collect()
}

fn fields(schema: &Value) -> Vec<Property> {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let own = schema["properties"].as_object().into_iter().flatten().map(|(name, field)| Property {
        name: name.clone(),
        place: String::new(),
        required: required.contains(&name.as_str()),
        of: type_of(field),
        description: text(&field["description"]),
    });
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| {
        if part["$ref"].is_string() {
            vec![Property {
                name: "…".to_owned(),
                place: String::new(),
                required: true,
                of: type_of(part),
                description: "and its fields".to_owned(),
            }]
        } else {
            fields(part)
        }
    }))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{READ, ReferencePage};
    use crate::pages::sample;

    #[test]
    fn every_operation_and_every_shape_stands_on_the_page() {
        let page = ReferencePage { shell: sample::shell(""), groups: &READ.0, shapes: &READ.1 };
        let html = sample::render("reference", &page);
        let document = serde_json::to_value(crate::openapi()).unwrap();
        for path in document["paths"].as_object().unwrap().keys() {
            assert!(html.contains(path.as_str()), "{path}");
        }
        // Each link within the page leads somewhere.
        for target in html.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(html.contains(&format!("id=\"{target}\"")), "{target}");
        }
    }
}
