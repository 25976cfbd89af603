/* models._native: the module, which models/words.py and models/copying.py use where it is there. */

#include "native.h"

static PyMethodDef METHODS[] = {
    {"word_count", word_count, METH_O,
     "word_count(content, /)\n--\n\nCount what white space separates in a text without its `<...>` markup."},
    {"encode_rows", encode_rows, METH_VARARGS,
     "encode_rows(rows, kinds, /)\n--\n\nMake the body of PostgreSQL's binary COPY from rows, in pieces."},
    {NULL, NULL, 0, NULL},
};

static int execute(PyObject *Py_UNUSED(module))
{
    return import_datetime();
}

static PyModuleDef_Slot SLOTS[] = {
    {Py_mod_exec, (void *)execute}, /* ISO C has no such cast, POSIX and Python need it */
#if PY_VERSION_HEX >= 0x030c0000
    /* datetime's C interface is one for the process. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "The two hottest loops of an import, compiled.",
    .m_size = 0,
    .m_methods = METHODS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&MODULE);
}
