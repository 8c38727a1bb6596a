//! Class names, and the folders that stand for them.

use crate::Error;
use eyespot_system::printable;
use std::collections::HashMap;
use std::path::Path;

/// A classifier's classes in the order of its outputs. A folder may be called by a class' name or by its WordNet id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Classes {
    names: Vec<String>,
    folders: HashMap<String, usize>,
}

impl Classes {
    pub fn new(names: Vec<String>) -> Self {
        let folders = names.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
        Self { names, folders }
    }

    /// Reads a file with a class a line, in the order of the outputs: `name` or `wnid name`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text =
            eyespot_system::read_text(path).map_err(|e| Error::file(path, format!("the class file {e}")))?;
        let mut classes = Self { names: Vec::new(), folders: HashMap::new() };
        // Where each name and id stood first, and whether an id told the name apart.
        let mut seen: HashMap<&str, (usize, bool)> = HashMap::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty()) {
            let index = classes.names.len();
            let (id, name) = match line.split_once(char::is_whitespace) {
                Some((id, name)) if is_wordnet_id(id) => (Some(id), name.trim()),
                _ => (None, line),
            };
            // ImageNet has two classes called crane, told apart by their ids.
            let name_before = seen.insert(name, (number, id.is_some()));
            let name_before = name_before.filter(|(_, with_id)| !with_id || id.is_none());
            let id_before = id.and_then(|id| seen.insert(id, (number, true)));
            if let Some((first, _)) = id_before.or(name_before) {
                let twice = printable(if id_before.is_some() { line } else { name });
                let (first, number) = (first + 1, number + 1);
                let reason = format!(
                    "lines {first} and {number} name the same class, {twice}; each class stands once, or with a \
                     WordNet id of its own"
                );
                return Err(Error::file(path, reason));
            }
            // A folder of a name that two classes have means the first.
            classes.folders.entry(name.to_owned()).or_insert(index);
            if let Some(id) = id {
                classes.folders.insert(id.to_owned(), index);
            }
            classes.names.push(name.to_owned());
        }
        if classes.names.is_empty() {
            return Err(Error::file(path, "the class file is empty; write one class a line"));
        }
        Ok(classes)
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The class a folder of this name stands for.
    pub fn find(&self, folder: &str) -> Option<usize> {
        self.folders.get(folder).copied()
    }

    /// Every folder name with its class.
    pub fn aliases(&self) -> Vec<(String, usize)> {
        let mut all: Vec<_> = self.folders.iter().map(|(name, &class)| (name.clone(), class)).collect();
        all.sort();
        all
    }

    /// The class that a picture's folder stands for.
    pub fn of_picture(&self, path: &Path) -> Option<usize> {
        let folder = path.parent()?.file_name()?.to_str()?;
        self.find(folder)
    }
}

/// `n01440764` and the like.
fn is_wordnet_id(word: &str) -> bool {
    word.len() == 9 && word.starts_with('n') && word[1..].bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_or_a_wordnet_id_with_a_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("classes.txt");
        std::fs::write(&path, "n01440764 tench\n\nn01484850 great white shark\r\nnorth star\n")
            .expect("writes");
        let classes = Classes::read(&path).expect("reads");
        assert_eq!(classes.names(), ["tench", "great white shark", "north star"]);
        assert_eq!(classes.find("n01484850"), Some(1));
        assert_eq!(classes.find("north star"), Some(2));
        assert_eq!(classes.of_picture(Path::new("x/tench/1.jpg")), Some(0));
        assert_eq!(classes.of_picture(Path::new("1.jpg")), None);
    }

    #[test]
    fn a_class_that_stands_twice_is_refused_unless_ids_tell_them_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("classes.txt");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("writes");
            Classes::read(&path)
        };
        let cranes = read("n02012849 crane\nn03126707 crane\n").expect("reads");
        assert_eq!((cranes.len(), cranes.find("crane")), (2, Some(0)));
        for (text, said) in [
            ("bee\n\nant\nbee\n", "lines 1 and 4 name the same class, bee"),
            ("n02012849 crane\ncrane\n", "lines 1 and 2 name the same class, crane"),
            ("n02012849 crane\nn02012849 bird\n", "lines 1 and 2 name the same class, n02012849 bird"),
        ] {
            let error = read(text).expect_err("refused").to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
