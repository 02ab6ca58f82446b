Import-Module PSReadLine
Set-PSReadLineKeyHandler -Chord Tab -Function MenuComplete
$scriptblock = {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_DICOMTLS_COMPLETE = "complete_powershell"
    $Env:_DICOMTLS_COMPLETE_LINE = $commandAst.ToString()
    $Env:_DICOMTLS_COMPLETE_WORD = $wordToComplete
    dicomtls 2>$null | ForEach-Object {
        $word, $meaning = $_ -Split ":::", 2
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $meaning)
    }
    $Env:_DICOMTLS_COMPLETE = ""
    $Env:_DICOMTLS_COMPLETE_LINE = ""
    $Env:_DICOMTLS_COMPLETE_WORD = ""
}
Register-ArgumentCompleter -Native -CommandName dicomtls -ScriptBlock $scriptblock
