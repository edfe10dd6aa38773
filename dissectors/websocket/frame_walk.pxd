cimport cython

from dissectors.columns cimport Growing

cdef class FrameRows(Growing):
    pass

cdef class Events(Growing):
    cdef public long long now, turn

cdef class NoteRows(Growing):
    cdef public long long now, turn

cdef class Parked(Growing):
    pass

cdef int HEADER, PAYLOAD, LOST, LOOK, MANY, MEDIUM, HIGH, GOOD
cdef long long LAST, TOP

cdef class Directions:
    cdef public long long count
    cdef public int searching
    cdef long long room
    cdef public object state
    cdef public dict whole
    cdef public unsigned char[::1] head
    cdef long long[:] at, mode, filled, start, length, remaining, missing, passed, key, header_length, first_packet
    cdef long long[:] first_time, wanted, wanted_message, closed, client, deflate, defined, frames, opaque
    cdef long long[:] lost_from, ripe, recovered, evidence, proven
    cdef long long[:] last_key, key_step, key_told

@cython.locals(row=cython.longlong)
cpdef object note(NoteRows notes, int code, long long slot, long long offset, long long length, long long packet,
                 long long time)

cpdef object begin_span(Events events, NoteRows notes, long long release)

@cython.locals(row=cython.longlong)
cdef object event(Events events, Directions directions, long long slot, int bits, long long phase, long long position,
                  long long length, long long frame, long long packet, long long time)

@cython.locals(row=cython.longlong)
cdef long long finish_frame(FrameRows rows, Directions directions, long long slot, long long packet,
                            long long time) except -1

@cython.locals(at=cython.longlong, first=cython.int, second=cython.int, masked=cython.int,
               brief=cython.int, opcode=cython.int, rsv=cython.int, size=cython.longlong, start=cython.longlong,
               length=cython.longlong, extended=cython.int, index=cython.int, key=cython.longlong,
               compressed=cython.bint, fits=cython.bint, evidence=cython.longlong)
cdef object read_header(Directions directions, NoteRows notes, long long slot, long long packet, long long time)

@cython.locals(step=cython.longlong, code=cython.int)
cdef object compare_key(Directions directions, NoteRows notes, long long slot, long long key, long long packet,
                        long long time)

cdef object lose(Directions directions, NoteRows notes, long long slot, long long offset, long long length,
                 long long behind, long long packet, long long time)

cpdef object resume(Directions directions, NoteRows notes, long long slot, long long at, long long reach,
                    long long bits, long long packet, long long time)

@cython.locals(row=cython.longlong)
cdef bint park(Directions directions, Parked parked, long long slot, int kind, long long offset, long long length,
               long long at, long long packet, long long time) except -1

@cython.locals(span=cython.Py_ssize_t, slot=cython.longlong, kind=cython.int, offset=cython.longlong,
               length=cython.longlong, stop=cython.longlong, known=cython.longlong, position=cython.longlong,
               packet=cython.longlong, time=cython.longlong, taken=cython.longlong, phase=cython.longlong,
               frame=cython.longlong, end=cython.longlong, bits=cython.int, filled=cython.int, need=cython.int)
cpdef long long walk(Directions directions, FrameRows rows, Events events, NoteRows notes, Parked parked,
                  const unsigned char[::1] octets, const long long[::1] slot_of, const unsigned char[::1] kind_of,
                  const long long[::1] offset_of, const long long[::1] length_of, const long long[::1] position_of,
                  const long long[::1] packet_of, const long long[::1] time_of,
                  const long long[::1] release_of, const long long[::1] at_of, long long first) except -1

@cython.locals(length=cython.int)
cdef int header_length(int second) except -1
