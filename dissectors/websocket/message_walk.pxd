cimport cython

from dissectors.columns cimport Growing
from dissectors.websocket.frame_walk cimport Events, NoteRows, note
from dissectors.websocket.inflating cimport Inflating
from dissectors.websocket.masking cimport unmask, utf8

cdef int NOT_TEXT, VALID, INVALID, UNKNOWN, PLAIN, INFLATED, FAILED, CONTEXT_LOST, OVER_LIMIT, FINAL_BLOCK, TRIED, PROVEN, NO_TEXT
cdef int UNSTARTED, UNASKED, AHEAD
cdef long long PINGS, CHECKPOINT

cdef class MessageRows(Growing):
    pass

cdef class Folds:
    cdef public object strings
    cdef public long long limit
    cdef long long room
    cdef public object state
    cdef public dict whole
    cdef public list inflaters, control, pings, ahead, windows
    cdef long long[:] open, opcode, compressed, frames, length, inflated, inflate, text, missing, first_frame
    cdef long long[:] first_time, start, takeover, deflate, lost, control_missing, control_time, close_row, close_packet
    cdef long long[:] messages, octets, inflated_octets, since, ping_count, last_time, recovered, holes

    cpdef object reserve(self, long long slots)
    cpdef object begin(self, long long slot, object deflate, object takeover)
    cpdef object let_go(self, long long slot)

cdef object checkpoint(Folds folds, long long slot, long long row)

@cython.locals(inflater=Inflating, text=cython.longlong, outcome=cython.int)
cdef object inflate(Folds folds, long long slot, const unsigned char[::1] octets, long long start, long long stop,
                    long long key, long long phase, bint tail)

cdef object unproven(Folds folds, long long slot)

@cython.locals(opcode=cython.int)
cdef object begin_message(Folds folds, MessageRows rows, NoteRows notes, long long slot, int first, long long offset,
                          long long packet, long long time, long long recovered)

@cython.locals(row=cython.longlong, state=cython.longlong, length=cython.longlong, inflated=cython.longlong,
               start=cython.longlong, verdict=cython.int)
cdef object end_message(Folds folds, MessageRows rows, NoteRows notes, long long slot, int complete, long long frame,
                        long long packet, long long time)

cdef object close_payload(Folds folds, NoteRows notes, long long slot, object payload, long long offset,
                          long long packet, long long time)

@cython.locals(row=cython.longlong, number=cython.longlong, opcode=cython.int, complete=cython.int,
               code=cython.longlong, reason=cython.longlong, answers=cython.longlong, told=cython.longlong)
cdef object end_control(Folds folds, MessageRows rows, NoteRows notes, long long slot, int first, long long total,
                        long long offset, long long frame, long long packet, long long time, long long recovered)

cdef bint guess(long long recovered)

cdef object run_ahead(Folds folds, long long slot, object payload, long long release)

@cython.locals(release=cython.longlong)
cdef bint early_pong(Folds folds, long long slot, object payload, long long packet)

cpdef object resume(Folds folds, MessageRows rows, NoteRows notes, long long slot, long long packet, long long time)

@cython.locals(at=cython.Py_ssize_t, slot=cython.longlong, bits=cython.int, first=cython.int, length=cython.longlong,
               position=cython.longlong, offset=cython.longlong, packet=cython.longlong, time=cython.longlong,
               last=cython.bint, whole=cython.longlong)
cpdef object walk(Folds folds, Events events, MessageRows rows, NoteRows notes, const unsigned char[::1] octets)
