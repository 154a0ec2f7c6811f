/* Values, as programs have them and as frames have them. */
#include <errno.h>
#include <stdlib.h>

#include "shardd/events/values.h"
#include "shardd/kennel-events.h"

/* v's bytes, if they are given; numbers that came from a client are as they came. */
static int
value_given(struct fasttcp_frame *f, const struct events_value *v)
{
	if (v->data == NULL && v->len > 0) {
		errno = EINVAL;
		return (-1);
	}
	f->data = slice_of(v->data == NULL ? "" : v->data, v->len);
	return (0);
}

/* An object of the program's. */
static int
value_serialize(struct fasttcp_frame *f, const struct events_value *v,
    const struct events_serializer *how, struct value_bytes *b)
{
	size_t	 len = 0;

	if (how == NULL || how->write == NULL) {
		errno = EINVAL;
		return (-1);
	}
	if (how->write(v->u.object, &b->made, &len, how->arg) == -1) {
		b->made = NULL;
		return (-1);
	}
	f->data = slice_of(b->made, len);
	return (0);
}

int
value_frame(struct fasttcp_frame *f, const struct events_value *v,
    const struct events_serializer *how, struct value_bytes *b)
{
	b->made = NULL;
	f->data_type = (uint8_t)v->type;
	switch (v->type) {
	case EVENTS_STRING:
	case EVENTS_BINARY:
		return (value_given(f, v));
	case EVENTS_OBJECT:
		return (v->data == NULL && v->u.object != NULL ?
		    value_serialize(f, v, how, b) : value_given(f, v));
	case EVENTS_INTEGER:
		if (v->data != NULL)
			return (value_given(f, v));
		f->data = slice_of(b->number, FASTTCP_INTEGER_LEN);
		return (fasttcp_put_integer(b->number, v->u.integer));
	case EVENTS_DECIMAL:
		if (v->data != NULL)
			return (value_given(f, v));
		f->data = slice_of(b->number, FASTTCP_DECIMAL_LEN);
		fasttcp_put_decimal(b->number, v->u.decimal);
		return (0);
	case EVENTS_BOOLEAN:
		if (v->data != NULL)
			return (value_given(f, v));
		f->data = slice_of(b->number, 1);
		b->number[0] = v->u.boolean != 0;
		return (0);
	case EVENTS_EMPTY:
		f->data = slice_of("", 0);
		return (0);
	default:
		errno = EINVAL;
		return (-1);
	}
}

void
value_bytes_clear(struct value_bytes *b)
{
	free(b->made);
	b->made = NULL;
}

void
value_of(struct events_value *v, uint8_t data_type, struct slice data,
    const struct events_serializer *how)
{
	*v = events_bytes((enum events_type)data_type, data.data, data.len);
	switch (v->type) {
	case EVENTS_INTEGER:
		v->u.integer = fasttcp_get_integer(data);
		break;
	case EVENTS_DECIMAL:
		v->u.decimal = fasttcp_get_decimal(data);
		break;
	case EVENTS_BOOLEAN:
		v->u.boolean = data.data[0] != 0;
		break;
	case EVENTS_OBJECT:
		if (how != NULL && how->read != NULL)
			v->u.object = how->read(data.data, data.len, how->arg);
		break;
	default:
		break;
	}
}

void
value_end(struct events_value *v, const struct events_serializer *how)
{
	if (v->type == EVENTS_OBJECT && v->u.object != NULL && how->end != NULL)
		how->end(v->u.object, how->arg);
}
