//! Module calls, and where their sources lead.

use hcl_edit::structure::{Block, Structure};

use super::{Call, Module, Place, start};
use crate::module::tree::resolve;
use crate::problem::Problem;

/// Arguments of a call that its module is not given.
const META_ARGUMENTS: [&str; 6] = [
    "source",
    "version",
    "count",
    "for_each",
    "depends_on",
    "providers",
];

impl Module {
    pub(super) fn add_call(&mut self, place: Place, block: Block) -> bool {
        let Some([name]) = self.labelled(&place, &block) else {
            return false;
        };
        let name = name.to_owned();
        let mut broken = false;
        for structure in block.body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    if attribute.key.as_str() == "version" {
                        let message = "a module from the repository has no version";
                        self.problems
                            .push(place.source.problem(message, start(attribute)));
                        broken = true;
                    }
                }
                Structure::Block(inner) if inner.ident.as_str() == "providers" => {}
                Structure::Block(inner) => {
                    let message = format!("a module call has no block {}", inner.ident.as_str());
                    self.problems
                        .push(place.source.problem(message, start(inner)));
                    broken = true;
                }
            }
        }
        let directory = match called_directory(&self.directory, &place, &block) {
            Ok(directory) => Some(directory),
            Err(problem) => {
                self.problems.push(*problem);
                None
            }
        };
        let (repeat, sound) = self.repeat(&place, &block.body);
        let depends_on = self.references(&place, &block.body);
        let arguments = block.body.into_attributes();
        let arguments = arguments.filter(|it| !META_ARGUMENTS.contains(&it.key.as_str()));
        let call = Call {
            directory,
            repeat,
            arguments: arguments
                .map(|it| (it.key.as_str().to_owned(), it.value))
                .collect(),
            depends_on,
            broken: broken || !sound,
            place: place.clone(),
        };
        Self::define(
            &mut self.calls,
            &mut self.problems,
            name,
            "module call",
            call,
            &place,
            |it| (&it.place, &mut it.broken),
        );
        true
    }
}

/// The directory that a call's source names.
fn called_directory(from: &str, place: &Place, block: &Block) -> Result<String, Box<Problem>> {
    let fail = |message: String, at| Box::new(place.source.problem(message, at));
    let Some(attribute) = block.body.get_attribute("source") else {
        return Err(fail(
            "the module call has no source".to_owned(),
            place.offset,
        ));
    };
    let at = start(&attribute.value);
    let Some(source) = attribute.value.as_str() else {
        return Err(fail(
            "the source of a module must be a plain string".to_owned(),
            at,
        ));
    };
    if !source.starts_with("./") && !source.starts_with("../") && source != "." && source != ".." {
        let hint = "copy the module into the repository and call it as \"./NAME\" or \"../NAME\"";
        let message = format!("the module source {source:?} is not a directory of the repository");
        return Err(Box::new(fail(message, at).with_hint(hint)));
    }
    resolve(from, source).ok_or_else(|| {
        fail(
            format!("the module source {source:?} leads out of the repository"),
            at,
        )
    })
}
