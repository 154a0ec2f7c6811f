/* Numbers as JavaScript prints them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/js_number.h"

/* The fewest digits that read back as v > 0; its value is 0.DIGITS times 10 to the
 * returned power. */
static int
js_number_digits(char digits[24], double v)
{
	char	 text[32];
	int	 n = 0;

	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, v);
		if (strtod(text, NULL) == v)
			break;
	}
	for (const char *s = text; *s != 'e'; s++)
		if (*s != '.')
			digits[n++] = *s;
	digits[n] = '\0';
	return (atoi(strchr(text, 'e') + 1) + 1);
}

void
js_number_text(char dst[JS_NUMBER_SIZE], double v)
{
	char	 digits[24];
	int	 n, point;

	if (v > -1e15 && v < 1e15 && v == (double)(long long)v) {
		snprintf(dst, JS_NUMBER_SIZE, "%lld", (long long)v);
		return;
	}
	if (v < 0)
		*dst++ = '-', v = -v;
	point = js_number_digits(digits, v);
	n = (int)strlen(digits);
	if (point > 21 || point < -5)
		snprintf(dst, JS_NUMBER_SIZE - 1, "%c%s%se%+d", digits[0],
		    n > 1 ? "." : "", digits + 1, point - 1);
	else if (point <= 0)
		snprintf(dst, JS_NUMBER_SIZE - 1, "0.%.*s%s", -point, "00000",
		    digits);
	else if (n > point)
		snprintf(dst, JS_NUMBER_SIZE - 1, "%.*s.%s", point, digits,
		    digits + point);
	else
		snprintf(dst, JS_NUMBER_SIZE - 1, "%s%.*s", digits, point - n,
		    "000000000000000000000");
}
