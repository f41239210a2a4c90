/* What a program on the emulated chip begins with, and what a fault comes to. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FAULT 3 /* exit status */
#define WORDS 8 /* the most words of a command line, and of the environment */

extern uint8_t chip_bss[], chip_bss_end[], chip_stack[]; /* the linker's: mps2.ld */
extern char **environ;                                   /* newlib's, as the next one */
void initialise_monitor_handles(void);
void _exit(int status);
int main(int argc, char **argv);

void chip_reset(void);
void chip_fault(void);

/* Semihosting's operations are described in Arm's document of that name. */
enum { SYS_WRITE0 = 0x04, SYS_GET_CMDLINE = 0x15 };

static int call_host(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

/* The command line is the program and the environment it is to run in: "parse_test COPAL_SEEDS=100". */
static void take_environment(char **words)
{
    static char line[256];
    struct {
        char *at;
        uint32_t size;
    } place = {line, sizeof line};
    size_t count = 0;
    if (call_host(SYS_GET_CMDLINE, &place) == 0)
        for (char *word = strtok(line, " "); word && count < WORDS; word = strtok(NULL, " "))
            words[count++] = word;
    environ = words + (count > 0);
}

void chip_reset(void)
{
    static char *words[WORDS + 1], name[] = "chip", *argv[] = {name, NULL};
    memset(chip_bss, 0, (size_t)(chip_bss_end - chip_bss));
    initialise_monitor_handles();
    take_environment(words);
    exit(main(1, argv));
}

void chip_fault(void)
{
    call_host(SYS_WRITE0, "the processor has faulted\n");
    _exit(FAULT);
}

/* Stack, reset, NMI, hard fault; no other fault is enabled, and no interrupt. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {chip_stack, chip_reset, chip_fault,
                                                                                 chip_fault};
