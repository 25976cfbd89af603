/* word_count: what models/words.py counts in Python, in one pass over the characters as they are stored. */

#include "native.h"

/* The white space among the first 256 characters, as str.isspace has it. */
static const bool LATIN_SPACE[256] = {
    ['\t'] = true, ['\n'] = true, ['\v'] = true, ['\f'] = true, ['\r'] = true,
    [0x1c] = true, [0x1d] = true, [0x1e] = true, [0x1f] = true, [' '] = true,
    [0x85] = true, [0xa0] = true,
};
/* All other white space is from here to there, so that most texts do not ask Python for each character. */
#define FIRST_OTHER_SPACE 0x1680
#define LAST_OTHER_SPACE 0x3000

static inline bool is_space(Py_UCS4 c)
{
    if (c < 256) {
        return LATIN_SPACE[c];
    }
    return c >= FIRST_OTHER_SPACE && c <= LAST_OTHER_SPACE && Py_UNICODE_ISSPACE(c);
}

/* Count the beginnings of words. `kind` is a constant where this is called, so that each kind of text gets a
 * loop of its own. */
static inline Py_ALWAYS_INLINE Py_ssize_t count(int kind, const void *text, Py_ssize_t length)
{
    Py_ssize_t words = 0;
    bool outside = true; /* of a word */
    bool closes = true;  /* a `>` may still come; once one is looked for in vain, a `<` is a character like others */

    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, text, i);
        if (c == '<' && closes) {
            Py_ssize_t end = i + 1;
            while (end < length && PyUnicode_READ(kind, text, end) != '>') {
                end++;
            }
            closes = end < length;
            if (closes) {
                i = end;
                outside = true;
                continue;
            }
        }
        bool space = is_space(c);
        words += outside && !space;
        outside = space;
    }
    return words;
}

PyObject *word_count(PyObject *Py_UNUSED(module), PyObject *content)
{
    if (content == Py_None) {
        return PyLong_FromLong(0);
    }
    if (!PyUnicode_Check(content)) {
        return PyErr_Format(PyExc_TypeError, "expected str or None, got %s", Py_TYPE(content)->tp_name);
    }
    if (READY(content) < 0) {
        return NULL;
    }
    const void *text = PyUnicode_DATA(content);
    Py_ssize_t length = PyUnicode_GET_LENGTH(content);
    switch (PyUnicode_KIND(content)) {
    case PyUnicode_1BYTE_KIND:
        return PyLong_FromSsize_t(count(PyUnicode_1BYTE_KIND, text, length));
    case PyUnicode_2BYTE_KIND:
        return PyLong_FromSsize_t(count(PyUnicode_2BYTE_KIND, text, length));
    default:
        return PyLong_FromSsize_t(count(PyUnicode_4BYTE_KIND, text, length));
    }
}
