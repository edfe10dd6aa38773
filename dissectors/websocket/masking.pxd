cimport cython

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    /* The key as it stands in memory, from octet `phase` on. */
    static uint64_t m_pad(long long key, long long phase) {
        unsigned char pad[8];
        uint64_t word;
        for (int at = 0; at < 8; at++)
            pad[at] = (unsigned char)(key >> (24 - 8 * ((phase + at) & 3)));
        memcpy(&word, pad, 8);
        return word;
    }

    static void m_unmask(unsigned char *out, const unsigned char *from, Py_ssize_t length, long long key,
                         long long phase) {
        uint64_t word, pad;
        Py_ssize_t at = 0;
        if (!key) {
            memcpy(out, from, length);
            return;
        }
        pad = m_pad(key, phase);
        for (; at + 8 <= length; at += 8) {
            memcpy(&word, from + at, 8);
            word ^= pad;
            memcpy(out + at, &word, 8);
        }
        for (; at < length; at++)
            out[at] = from[at] ^ (unsigned char)(key >> (24 - 8 * ((phase + at) & 3)));
    }

    /* How many octets from `from` on are ASCII once unmasked, in steps of eight: nearly all text is. */
    static Py_ssize_t m_ascii(const unsigned char *from, Py_ssize_t length, long long key) {
        uint64_t word, pad;
        Py_ssize_t at = 0;
        if (length < 8)
            return 0;
        pad = m_pad(key, 0);
        for (; at + 8 <= length; at += 8) {
            memcpy(&word, from + at, 8);
            if ((word ^ pad) & 0x8080808080808080u)
                break;
        }
        return at;
    }

    static unsigned char *m_octets(PyObject *array) {
        return (unsigned char *)PyByteArray_AS_STRING(array);
    }
    """
    void m_unmask(unsigned char *out, const unsigned char *begin, Py_ssize_t length, long long key, long long phase)
    Py_ssize_t m_ascii(const unsigned char *begin, Py_ssize_t length, long long key)
    unsigned char *m_octets(object array)

cdef inline void unmask_words(bytearray out, const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t length,
                              long long key, long long phase):
    m_unmask(m_octets(out), &octets[start], length, key, phase)

cdef inline Py_ssize_t ascii_words(const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t stop, long long key):
    return m_ascii(&octets[start], stop - start, key)

cdef bint PLAIN

@cython.locals(size=cython.Py_ssize_t)
cpdef Py_ssize_t unmask_into(bytearray out, const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t stop,
                             long long key, long long phase, bint tail) except -1

cpdef bytearray unmask(const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t stop, long long key,
                       long long phase, bint tail)

@cython.locals(k0=cython.uint, k1=cython.uint, k2=cython.uint, k3=cython.uint, at=cython.Py_ssize_t, turn=cython.int,
               octet=cython.uint, low=cython.int, high=cython.int, due=cython.int)
cpdef long long utf8(const unsigned char[::1] octets, Py_ssize_t start, Py_ssize_t stop, long long key,
                     long long phase, long long state) except? -2
