" Vim syntax file
" Language: lsmp, the policy language of lsmpc

if exists("b:current_syntax")
  finish
endif

syntax iskeyword @,48-57,_,.

syntax keyword lsmpEffect deny allow audit kill
syntax keyword lsmpStatement default on_error scope exempt let include assert test given expect
syntax keyword lsmpClause when unless inherit until with
syntax keyword lsmpOperator and or not in has any
syntax keyword lsmpBoolean true false
syntax keyword lsmpFunction user group

syntax match lsmpNumber "\<\%(0x\x\+\%(_\x\+\)*\|0o\o\+\%(_\o\+\)*\|0b[01]\+\%(_[01]\+\)*\|\d\+\%(_\d\+\)*\)\>"
syntax match lsmpConstant "\<\%(E[A-Z]\+\|[A-Z][A-Z0-9]*_[A-Za-z0-9_]*\|SIG[A-Z0-9]\+\)\>"
syntax match lsmpAnnotation "@[A-Za-z_][A-Za-z0-9_]*"
syntax match lsmpComparison "[=!<>]=\|[<>]\|\.\."

syntax match lsmpEscape +\\\%(["\\nt]\|x\x\x\)+ contained
syntax region lsmpString start=+"+ skip=+\\.+ end=+"+ oneline contains=lsmpEscape
syntax region lsmpRawString start=+\<r"+ end=+"+ oneline

syntax keyword lsmpTodo TODO FIXME XXX contained
syntax match lsmpComment "#.*$" contains=lsmpTodo,@Spell

highlight default link lsmpEffect Statement
highlight default link lsmpStatement Keyword
highlight default link lsmpClause Conditional
highlight default link lsmpOperator Operator
highlight default link lsmpComparison Operator
highlight default link lsmpBoolean Boolean
highlight default link lsmpFunction Function
highlight default link lsmpNumber Number
highlight default link lsmpConstant Constant
highlight default link lsmpAnnotation PreProc
highlight default link lsmpString String
highlight default link lsmpRawString String
highlight default link lsmpEscape SpecialChar
highlight default link lsmpComment Comment
highlight default link lsmpTodo Todo

setlocal commentstring=#\ %s

let b:current_syntax = "lsmp"
